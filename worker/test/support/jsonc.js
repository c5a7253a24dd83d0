// JSON with comments.

/** The value of the text. Texts within it are left as they are, whatever they look like. */
export default function parse(text) {
  return JSON.parse(text.replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[^]*?\*\//g, (_, string = "") => string));
}
