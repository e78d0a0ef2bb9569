// Loaded before a Node server that has no option for the address that it listens on: it listens on loopback alone.
const net = require("node:net");
const { listen } = net.Server.prototype;
net.Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, port, "127.0.0.1", ...rest);
};
