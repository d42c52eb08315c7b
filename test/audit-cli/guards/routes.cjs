const { guard, origin } = require("@firmshake/core");

const pages = guard(origin(["https://app.example.com"]));
module.exports = {
  routes: { "/chat": pages, "/admin/*": guard(origin(["https://admin.example.com"])) },
};

// What a server would do: it keeps the process open.
setInterval(() => undefined, 60_000);
