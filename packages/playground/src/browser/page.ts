import type { Settings } from "../protocol.ts";
import { offerAudits } from "./audit.ts";
import { startChat } from "./chat.ts";
import { byId } from "./dom.ts";
import { showPanel } from "./frame.ts";
import { startGuarding } from "./guarding.ts";
import { startStream } from "./stream.ts";
import { chooseTheme, chosenTheme, type Theme } from "./theme.ts";
import { showWays } from "./ways.ts";

const settings = (await (await fetch("/settings")).json()) as Settings;

byId("page-address", HTMLSpanElement).textContent = settings.pageOrigin;
byId("panel-address", HTMLSpanElement).textContent = settings.panelOrigin;
byId("runs-on", HTMLSpanElement).textContent = settings.runsOn;
byId("policy", HTMLPreElement).textContent = settings.policy;

for (const choice of document.querySelectorAll<HTMLInputElement>("input[name=theme]")) {
  choice.checked = choice.value === chosenTheme();
  choice.addEventListener("change", () => chooseTheme(choice.value as Theme));
}

// Not every browser lets the keyboard into what scrolls.
for (const scroller of document.querySelectorAll<HTMLElement>("[data-scrolls]")) {
  scroller.tabIndex = 0;
}

const events = new EventSource("/events");
startStream(events, settings.attemptTitles);
startGuarding(events, settings);
startChat(settings.chatUrl, settings.library);
showWays(settings.ways, showPanel(settings.panelOrigin));
offerAudits();
