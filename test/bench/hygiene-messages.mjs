const text = { type: "string", maxLength: 2_000 };
const number = { type: "number" };
const object = (properties) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
});

/** JSON Schemas of two messages of 1 KiB: one long text as in a chat, and many small fields as in a game. */
export const schemas = {
  text: object({ type: text, room: text, text }),
  fields: object({
    type: text,
    items: {
      type: "array",
      items: object({ id: number, name: text, x: number, isUp: { type: "boolean" } }),
    },
  }),
};

const sized = (message, fill) => {
  const missing = 1_024 - Buffer.byteLength(JSON.stringify(message));
  return JSON.stringify({ ...message, [fill]: message[fill] + "a".repeat(missing) });
};

/** The messages themselves, of exactly 1,024 bytes. */
export const samples = {
  text: sized({ type: "say", room: "lobby", text: "" }, "text"),
  fields: sized(
    {
      type: "say",
      items: Array.from({ length: 20 }, (_, id) => ({
        id,
        name: `name ${id}`,
        x: id * 1.5,
        isUp: id % 2 === 0,
      })),
      note: "",
    },
    "note",
  ),
};
