// Inside an <iframe>: tells the page around it how high the card is, now and whenever that changes.
// The listener is in embed.js; any page can have its own: message {type: "slipway:height", height: pixels}.
(() => {
  "use strict";
  if (window.parent === window) return;
  // Nothing but a number is told, so any parent may hear it: the frame cannot know its parent's address.
  const tell = () => {
    const height = Math.ceil(document.querySelector("main").getBoundingClientRect().height);
    window.parent.postMessage({ type: "slipway:height", height }, "*");
  };
  new ResizeObserver(tell).observe(document.querySelector("main"));
})();
