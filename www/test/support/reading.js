// How well text can be read: whether all of it is there, and how it stands out from what is behind it, by the formula of WCAG 2.

/** The texts that stick out of the page, or of what cuts them off without letting one scroll. Runs in the page. */
export function cutOff() {
  const ends = (element) => {
    for (let at = element.parentElement; at; at = at.parentElement) {
      const { overflowX } = getComputedStyle(at);
      if (overflowX === "auto" || overflowX === "scroll") return Infinity;
      if (overflowX !== "visible") return Math.min(at.getBoundingClientRect().right, innerWidth);
    }
    return innerWidth;
  };
  return [...document.querySelectorAll("h1, h2, p, label, legend, button, input, li")]
    .filter((element) => element.checkVisibility() && !element.closest(".unseen, svg"))
    .filter((element) => element.getBoundingClientRect().right > ends(element) + 1)
    .map((element) => `${element.tagName.toLowerCase()}.${element.className}: ${element.textContent.trim().slice(0, 40)}`);
}

/** The texts in view whose contrast is below AA: 4.5, or 3 where they are large. Runs in the page. */
export function faint() {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const read = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = read(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const light = ([r, g, b]) => {
    const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const found = new Map();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const element = text.parentElement;
    if (!text.data.trim() || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || element.closest(".unseen, :disabled, title")) continue;
    const style = getComputedStyle(element);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    const [a, b] = [light(read(element instanceof SVGElement ? style.fill : style.color)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < (large ? 3 : 4.5)) found.set(`${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""}: ${contrast.toFixed(2)}`, text.data.trim());
  }
  return [...found];
}
