// Everything is there without this script; it only lights the epoch of the slider and the cavity that is pointed at.
"use strict";
for (const run of document.querySelectorAll(".run")) {
  run.classList.add("lively");
  const light = (name, value) => {
    for (const part of run.querySelectorAll(`[data-${name}]`)) part.classList.toggle("on", part.dataset[name] === value);
  };
  const first = (epoch) => run.querySelector(`.list[data-epoch="${epoch}"] [data-cavity]`)?.dataset.cavity;
  const box = run.querySelector(".slider");
  if (box) {
    const slider = box.querySelector("input");
    const epochs = slider.dataset.epochs.split(" ");
    box.hidden = false;
    slider.addEventListener("input", () => {
      const epoch = epochs[slider.valueAsNumber];
      box.querySelector("output").textContent = epoch;
      slider.setAttribute("aria-valuetext", `epoch ${epoch}`);
      light("epoch", epoch);
      light("cavity", first(epoch) ?? "");
    });
    const last = epochs.at(-1);
    slider.value = epochs.length - 1; // a browser that reloads a page puts its old value back
    light("epoch", last);
    light("cavity", first(last) ?? "");
  }
  const point = (event) => {
    const part = event.target.closest?.("a[data-cavity], .point");
    if (part) light("cavity", part.dataset.cavity);
    return part;
  };
  run.addEventListener("pointerover", point);
  run.addEventListener("focusin", point);
  run.addEventListener("click", (event) => {
    if (point(event)) event.preventDefault(); // the card is beside it, and the page stays where it is
  });
}
