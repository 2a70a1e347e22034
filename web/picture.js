// Pictures of the conversation: how one is written as HTML, and how it is seen large.

const viewer = document.getElementById("viewer");
const large = viewer.querySelector("img");
const save = viewer.querySelector("a");

/** A picture as HTML that Deep Chat shows as it would one of its own; what is in the attributes stays in them. */
export const pictureOf = (src, name) => {
  const link = document.createElement("a");
  link.className = "picture";
  link.href = src;
  link.target = "_blank";
  link.rel = "noopener";
  const image = document.createElement("img");
  image.src = src;
  image.alt = name ?? "";
  link.append(image);
  return link.outerHTML;
};

const open = ({ currentSrc, alt }) => {
  large.src = currentSrc;
  large.alt = alt;
  save.href = currentSrc;
  save.download = alt;
  viewer.showModal();
};

/** Lets a click on a picture in the chat show it large, where Deep Chat would only save it. */
export const enlarge = (chat) =>
  chat.shadowRoot.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const image = link?.querySelector("img");
    const isPlain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (!image || !link.matches(".image-message a, a.picture") || !isPlain) return;
    event.preventDefault();
    open(image);
  });

viewer.addEventListener("click", ({ target }) => target.closest("a") || viewer.close());
viewer.addEventListener("close", () => large.removeAttribute("src"));
