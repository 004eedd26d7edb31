// What pages gain with JavaScript: a button to copy, and the local time on hover.
"use strict";

function addCopyButtons(within) {
  for (const block of within.querySelectorAll(".copyable:not(:has(> .copy))")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const text = block.querySelector("code").textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        // Without a secure origin there is no clipboard: select, so that Ctrl-C does it.
        getSelection().selectAllChildren(block.querySelector("code"));
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    block.append(button);
  }
}

function addLocalTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) {
      time.title = `${moment.toLocaleString()} local time`;
    }
  }
}

addCopyButtons(document);
addLocalTimes(document);
document.body.addEventListener("htmx:load", (event) => {
  addCopyButtons(event.detail.elt);
  addLocalTimes(event.detail.elt);
});

// A live page asks for nothing while nobody looks, nor while somebody reads what it shows.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.detail.elt;
  const isPolling = part.getAttribute("hx-trigger")?.startsWith("every");
  if (isPolling && (document.hidden || part.contains(document.activeElement)
      || part.querySelector("details[open]"))) {
    event.preventDefault();
  }
});
