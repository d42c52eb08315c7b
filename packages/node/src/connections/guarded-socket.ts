import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import type { CloseCode, Identity, OpenConnection } from "@firmshake/core";
import { type ConnectionTerm, type LifetimeRules, parsePeerAddress } from "@firmshake/core/gate";
import type { SocketOwner } from "../socket-owner.ts";
import { closingBy, refuseUnsendable } from "./close-reason.ts";
import type { Due } from "./deadline-heap.ts";
import type { Registry } from "./registry.ts";

/** An accepted WebSocket, for as long as it lives. */
export interface Connection<Facts extends object = object> extends OpenConnection<Facts> {
  /** A text that nobody can guess, by which the client may name the connection. */
  readonly id: string;
  /** The client's address after trusted proxies were believed. Sockets that are closed may not know it any more. */
  readonly clientAddress: string | undefined;
  /** The application's own words, to find connections by. */
  readonly tags: Pick<Set<string>, "add" | "delete" | "has" | "size">;
  /** How the gate, or the application by `close`, has closed it; undefined where neither has. */
  readonly closed: Closing | undefined;
  /**
   * Closes it by a frame of its own, whatever the library is doing, and cuts it off a second later. False where it is closed already, or is
   * no WebSocket.
   *
   * @param code - One that may be sent (RFC 6455 §7.4). Default 1000.
   * @param reason - 123 bytes at most. Default: none.
   * @throws {@link ConfigError} `ERR_FIRMSHAKE_OPTION_INVALID` for others.
   */
  readonly close: (code?: number, reason?: string) => boolean;
}

/** Why a connection was closed, and what the client was told. */
export interface Closing {
  /** Of `docs/errors.md`; undefined where the application has closed it. */
  readonly code: CloseCode | undefined;
  readonly closeCode: number;
  readonly closeReason: string;
}

/** What few connections have, or have for a short time. */
interface Rare {
  id?: string;
  tags?: Set<string>;
  closing?: Closing;
  /** What has to be released. */
  terms?: readonly ConnectionTerm[];
  /** The response was given, where requests stand in for a socket. */
  isOver?: boolean;
  /** When it is to be asked about again. */
  revalidateAt?: number;
  /** Ends the question that is open. */
  question?: AbortController;
}

/** What connections have in common that the same guards have let in. */
export interface Admission {
  readonly registry: Registry;
  /** The `decide` functions of the guards. */
  readonly guards: readonly object[];
  readonly rules: LifetimeRules;
}

/** What the gate keeps of an accepted socket: as little as there may be of each of many thousands. */
export class GuardedSocket implements Due, SocketOwner {
  admission: Admission;
  /** Undefined where requests stand in for a socket. */
  readonly socket: Duplex | undefined;
  readonly path: string;
  /** Where it was found otherwise than on the socket. */
  readonly #address: string | undefined;
  /** Since the registry was made: a small number takes less room. */
  readonly #acceptedAfterMs: number;
  facts: { readonly identity?: Identity };
  dueAt = 0;
  place = -1;
  /** When its age is over; 0 where that is never. */
  endsAt = 0;
  /** When something had come, and when a message's frame, that had not the time before. */
  heardAt = 0;
  spokenAt = 0;
  rare: Rare | undefined = undefined;
  #view: Connection | undefined = undefined;

  constructor(
    admission: Admission,
    socket: Duplex | undefined,
    path: string,
    address: string | undefined,
    facts: GuardedSocket["facts"],
  ) {
    this.admission = admission;
    this.socket = socket;
    this.path = path;
    this.#address = address;
    this.#acceptedAfterMs = admission.registry.sinceMade();
    this.facts = facts;
  }

  get registry(): Registry {
    return this.admission.registry;
  }

  get rules(): LifetimeRules {
    return this.admission.rules;
  }

  /** What has to be released. */
  get terms(): readonly ConnectionTerm[] {
    return this.rare?.terms ?? noTerms;
  }

  /** What applications see of it. */
  get view(): Connection {
    this.#view ??= new ConnectionView(this);
    return this.#view;
  }

  get identity(): Identity | undefined {
    return this.facts.identity;
  }

  get acceptedAt(): number {
    return this.registry.madeAt + this.#acceptedAfterMs;
  }

  /** Of the socket it is asked when somebody wants to know: Node would keep it there. */
  get address(): string | undefined {
    const { remoteAddress } = (this.socket ?? {}) as { readonly remoteAddress?: string };
    return this.#address ?? parsePeerAddress(remoteAddress)?.text;
  }

  get isOver(): boolean {
    return this.socket === undefined ? this.rare?.isOver === true : this.place === -1;
  }

  get isClosing(): boolean {
    return this.rare?.closing !== undefined;
  }

  closeFor(code: CloseCode): boolean {
    return this.registry.close(this, closingBy(code));
  }

  leave(): void {
    this.registry.remove(this);
  }

  wasLetInBy(decide: object): boolean {
    return this.admission.guards.includes(decide);
  }

  raritiesOf(): Rare {
    this.rare ??= {};
    return this.rare;
  }
}

const noTerms: readonly ConnectionTerm[] = Object.freeze([]);

class ConnectionView implements Connection {
  readonly #guarded: GuardedSocket;

  constructor(guarded: GuardedSocket) {
    this.#guarded = guarded;
    Object.freeze(this);
  }

  get path(): string {
    return this.#guarded.path;
  }

  get facts(): object {
    return this.#guarded.facts;
  }

  get identity(): Identity | undefined {
    return this.#guarded.identity;
  }

  get acceptedAt(): number {
    return this.#guarded.acceptedAt;
  }

  get clientAddress(): string | undefined {
    return this.#guarded.address;
  }

  get id(): string {
    const rare = this.#guarded.raritiesOf();
    if (rare.id === undefined) {
      rare.id = randomBytes(16).toString("base64url");
      // What is closed is found by nobody, and would never be forgotten.
      if (this.#guarded.place !== -1) byId.set(rare.id, this.#guarded);
    }
    return rare.id;
  }

  get tags(): Set<string> {
    const rare = this.#guarded.raritiesOf();
    rare.tags ??= new Set();
    return rare.tags;
  }

  get closed(): Closing | undefined {
    return this.#guarded.rare?.closing;
  }

  close(closeCode = 1_000, closeReason = ""): boolean {
    refuseUnsendable(closeCode, closeReason);
    const guarded = this.#guarded;
    return guarded.registry.close(guarded, { code: undefined, closeCode, closeReason });
  }

  static guardedOf(value: object): GuardedSocket | undefined {
    return #guarded in value ? value.#guarded : undefined;
  }
}

/** What a connection that an application holds stands for. */
export const guardedOf = (value: object): GuardedSocket | undefined =>
  ConnectionView.guardedOf(value);

/** Of those whose id was ever asked for. */
const byId = new Map<string, GuardedSocket>();

/** The open connection of this process that has that id. */
export function guardedById(id: string): GuardedSocket | undefined {
  const found = byId.get(id);
  return found === undefined || found.isClosing ? undefined : found;
}

export function forgetId(guarded: GuardedSocket): void {
  const id = guarded.rare?.id;
  if (id !== undefined) byId.delete(id);
}
