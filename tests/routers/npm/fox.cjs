// fox-wamp's router at a port of the loopback interface: `node fox.cjs PORT`.
const Router = require("fox-wamp");

const router = new Router();
const server = router.listenWAMP({ host: "127.0.0.1", port: Number(process.argv[2]), path: "/ws" });
server.on("listening", () => console.log("ready"));
