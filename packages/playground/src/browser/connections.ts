import type { ConnectionView, OpenView, Traffic } from "../protocol.ts";
import { byId, element } from "./dom.ts";

/** What may be asked for, of one connection. */
export interface ConnectionActs {
  readonly refresh: (connection: ConnectionView) => Promise<void>;
  readonly revoke: (connection: ConnectionView) => Promise<void>;
}

/** How often the countdowns go on; what they count from is told by the gate. */
const tickMs = 200;
/** From when on a countdown is a warning. */
const shortMs = 5_000;

interface Row {
  readonly item: HTMLLIElement;
  /** By the gate's clock. */
  readonly tick: (now: number) => void;
  readonly show: (connection: ConnectionView, now: number) => void;
}

/** The connections that are open, with how long they will be. */
export function showConnections(events: EventSource, acts: ConnectionActs): void {
  const list = byId("open-rows", HTMLUListElement);
  const scroller = byId("open-scroller", HTMLElement);
  const none = byId("no-connections", HTMLParagraphElement);
  const tally = byId("open-tally", HTMLParagraphElement);
  const rows = new Map<string, Row>();
  let view: OpenView | undefined;
  let toldAt = 0;

  const now = (): number => (view?.now ?? 0) + performance.now() - toldAt;

  function show(next: OpenView): void {
    view = next;
    toldAt = performance.now();
    const { connections } = next;
    const ids = new Set(connections.map(({ id }) => id));
    for (const [id, { item }] of rows) {
      if (ids.has(id)) continue;
      rows.delete(id);
      // Whoever is at one of its buttons by the keyboard must not be thrown back to the top.
      if (item.contains(document.activeElement)) scroller.focus();
      item.remove();
    }
    for (const connection of connections) {
      const row = rows.get(connection.id) ?? rowOf(connection, acts);
      if (!rows.has(connection.id)) list.append(row.item);
      rows.set(connection.id, row);
      row.show(connection, next.now);
    }
    none.hidden = connections.length > 0;
    tally.textContent = connections.length === 0 ? "" : `${connections.length} open`;
    tick();
  }

  function tick(): void {
    for (const row of rows.values()) row.tick(now());
  }

  events.addEventListener("open-connections", ({ data }) => show(JSON.parse(data) as OpenView));
  setInterval(tick, tickMs);
}

function rowOf(first: ConnectionView, { refresh, revoke }: ConnectionActs): Row {
  const { subject = "Somebody", path, acceptedAt } = first;
  let connection = first;
  /** Since when the token is known that it lives by. */
  let from = acceptedAt;
  const term = element("span", { class: "term" });
  const left = element("strong", {});
  const burnt = element("span", {});
  const openFor = element("span", {});
  const received = element("span", {});
  const buttons = [
    ...(first.expiresAt === undefined
      ? []
      : [buttonOf("Refresh", `Refresh the token of ${subject}`, () => refresh(connection))]),
    ...(first.subject === undefined
      ? []
      : [buttonOf("Revoke", `Revoke the tokens of ${subject}`, () => revoke(connection))]),
  ];
  const item = element(
    "li",
    { class: "connection is-new", "data-subject": subject },
    element("p", { class: "who" }, subject, " ", element("code", {}, path)),
    element("p", { class: "left" }, term, " ", left),
    element("span", { class: "fuse", "aria-hidden": "true" }, burnt),
    element("p", { class: "facts" }, openFor, received),
    element("div", { class: "row-acts" }, ...buttons),
  );
  return {
    item,
    show: (next, now) => {
      if (next.expiresAt !== connection.expiresAt) from = now;
      connection = next;
      received.textContent = trafficOf(next.received, next.rate);
    },
    tick: (now) => {
      const { expiresAt } = connection;
      openFor.textContent = `open for ${durationOf(now - acceptedAt)}`;
      item.classList.toggle("is-short", expiresAt !== undefined && expiresAt - now < shortMs);
      if (expiresAt === undefined) {
        term.textContent = "ends with the client";
        return;
      }
      const leftMs = Math.max(expiresAt - now, 0);
      term.textContent = "ends in";
      left.textContent = durationOf(leftMs, Math.ceil);
      burnt.style.width = `${Math.min((leftMs / Math.max(expiresAt - from, 1)) * 100, 100)}%`;
    },
  };
}

function buttonOf(text: string, label: string, act: () => Promise<void>): HTMLButtonElement {
  const button = element(
    "button",
    { class: "button is-small", type: "button", "aria-label": label },
    text,
  );
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    await act();
    button.removeAttribute("aria-disabled");
  });
  return button;
}

function trafficOf({ messages, bytes }: Traffic, rate: Traffic): string {
  const noun = messages === 1 ? "message" : "messages";
  return rate.bytes === 0
    ? `${messages} ${noun}, ${bytesOf(bytes)}`
    : `${messages} ${noun} (${rate.messages.toFixed(1)}/s), ${bytesOf(bytes)} (${bytesOf(rate.bytes)}/s)`;
}

const bytesOf = (bytes: number): string =>
  bytes < 1_000 ? `${Math.round(bytes)} B` : `${(bytes / 1_000).toFixed(1)} kB`;

/** In seconds, and in minutes where those would be many. */
export function durationOf(ms: number, round: (value: number) => number = Math.floor): string {
  const seconds = Math.max(round(ms / 1_000), 0);
  if (seconds < 100) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
