import { guard, origin } from "@firmshake/express";

export const chat = guard(origin(["https://app.example.com"]));
