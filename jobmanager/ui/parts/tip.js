// How a number is measured: shown beside whatever has `data-tip`, on hover and on focus.

const GAP = 8;

/** @param {Element | null} target @param {HTMLElement} box */
function show(target, box) {
  const text = target?.getAttribute("data-tip");
  box.hidden = !text;
  if (!text || !target) return;
  box.textContent = text;
  const place = target.getBoundingClientRect();
  const own = box.getBoundingClientRect();
  const left = Math.min(Math.max(GAP, place.left + place.width / 2 - own.width / 2), innerWidth - own.width - GAP);
  const below = place.bottom + GAP + own.height < innerHeight;
  box.style.left = `${Math.round(left)}px`;
  box.style.top = `${Math.round(below ? place.bottom + GAP : place.top - GAP - own.height)}px`;
}

/** Begins to watch the whole page: one box, however many numbers. */
export function watchTips() {
  const box = document.createElement("div");
  box.className = "tip";
  box.setAttribute("role", "tooltip");
  box.hidden = true;
  document.body.append(box);
  const about = (event) => (event.target instanceof Element ? event.target.closest("[data-tip]") : null);
  document.addEventListener("mouseover", (event) => show(about(event), box));
  document.addEventListener("focusin", (event) => show(about(event), box));
  document.addEventListener("focusout", () => show(null, box));
  document.addEventListener("keydown", (event) => event.key === "Escape" && show(null, box));
  document.addEventListener("click", () => show(null, box));
  addEventListener("hashchange", () => show(null, box));
  document.addEventListener("scroll", () => show(null, box), { passive: true, capture: true });
}
