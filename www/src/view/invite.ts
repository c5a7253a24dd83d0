import { html, render } from "lit-html";

import { messageOf, type Session } from "../state/session";

/** The invite as a link to copy or open, and as a QR code. The code's library is loaded now. */
export function openInvite(session: Session): void {
  const link = session.room.link(location.href);
  const dialog = document.createElement("dialog");
  dialog.className = "invite";
  dialog.setAttribute("aria-labelledby", "invite-title");
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  draw(dialog, link);
  dialog.showModal();
}

function draw(dialog: HTMLDialogElement, link: string, note = ""): void {
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(link).then(
      () => draw(dialog, link, "Copied"),
      () => draw(dialog, link, "The browser does not allow it: copy the link by hand"),
    );
  };
  render(
    html`
      <h2 id="invite-title">Invite</h2>
      <p>Whoever opens this link in a tab of this browser joins, as a server of its own.</p>
      <label class="field"><span>Link</span><input class="invite-link" readonly .value=${link} @focus=${(event: FocusEvent) => (event.target as HTMLInputElement).select()} /></label>
      <p class="invite-buttons">
        <a class="button primary" href=${link} target="_blank" rel="noopener">Open a second tab</a>
        <button @click=${copy}>Copy</button>
        <button class="quiet" @click=${() => dialog.close()}>Close</button>
      </p>
      <p class="small" role="status">${note}</p>
      <div class="qr">${qr(link)}</div>
    `,
    dialog,
  );
}

const codes = new Map<string, Node>();

function qr(link: string): Node {
  const known = codes.get(link);
  if (known) return known;
  const place = document.createElement("div");
  codes.set(link, place);
  drawCode(place, link).catch((error: unknown) => (place.textContent = messageOf(error)));
  return place;
}

async function drawCode(place: HTMLElement, link: string): Promise<void> {
  const [{ generate }, { toSvg }] = await Promise.all([import("lean-qr"), import("lean-qr/extras/svg")]);
  const code = toSvg(generate(link), document, { on: "currentColor" });
  code.setAttribute("role", "img");
  code.setAttribute("aria-label", "The link as a QR code");
  place.replaceChildren(code);
}
