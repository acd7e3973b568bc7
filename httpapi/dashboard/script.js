// Puts what the server has rendered anew into the page. The server renders
// everything; without this script the page loads itself again.
"use strict";

const state = document.getElementById("live-state");
const source = new EventSource(document.currentScript.dataset.live);

source.addEventListener("fragment", (event) => {
  const end = event.data.indexOf("\n");
  const place = document.getElementById(event.data.slice(0, end));
  if (!place) return;
  const scrolled = [...place.querySelectorAll(".scroll")].map((e) => [e.scrollLeft, e.scrollTop, e === document.activeElement]);
  place.innerHTML = event.data.slice(end + 1);
  place.querySelectorAll(".scroll").forEach((e, i) => {
    if (!scrolled[i]) return;
    [e.scrollLeft, e.scrollTop] = scrolled[i];
    if (scrolled[i][2]) e.focus({ preventScroll: true });
  });
});

source.addEventListener("end", () => {
  source.close();
  location.reload();
});

source.onerror = () => {
  state.textContent = source.readyState === EventSource.CLOSED
    ? "No longer live: load the page again."
    : "The node does not answer. What you see is old; trying again.";
};
