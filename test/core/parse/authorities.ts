import fc from "fast-check";

const label = fc.constantFrom(
  ..."a,app,example,com,A,xn--bcher-kva,_dmarc,a-b,-,1,127,0,255,0x,0x7f,0X1,,a b,ü,@,%2e,*".split(
    ",",
  ),
);
const literal = fc.oneof(
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6().map((text) => `[${text}]`),
  fc.constantFrom(
    "[::1]",
    "[0:0::1]",
    "[::ffff:127.0.0.1]",
    "[::FFFF]",
    "[::1",
    "::1",
    "[1.2.3.4]",
  ),
);
const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join("."));
const port = fc.oneof(
  fc.constantFrom("", "", "", ":", ":0", ":80", ":443", ":08", ":65535", ":65536", ":99999", ":x"),
  fc.nat(70_000).map((number) => `:${number}`),
);

/** Hosts with ports, and texts that nearly are some. */
export const authorityLike: fc.Arbitrary<string> = fc.oneof(
  fc
    .tuple(fc.oneof(name, literal), fc.constantFrom("", "", "", "."), port)
    .map((parts) => parts.join("")),
  fc.string({ unit: fc.constantFrom(..."aA1.-_:[]@/ 0x"), maxLength: 20 }),
);
