import {
  boolean,
  endpoint,
  integer,
  integerFrom,
  listenEndpoint,
  optionalSetting,
  positive,
  setting,
  tupleOf,
  unixGroup,
  unixUser,
  type Endpoint,
  type Parser,
  type Reader,
} from "@tsserve/config";

export type ListenSpec = {
  readonly bind: Reader<readonly Endpoint[] | undefined>;
  readonly host: Reader<string | undefined>;
  readonly port: Reader<number | undefined>;
  readonly backlog: Reader<number>;
  readonly reuse_port: Reader<boolean>;
  readonly socket_mode: Reader<number>;
  readonly socket_user: Reader<number | undefined>;
  readonly socket_group: Reader<number | undefined>;
};

const port = integerFrom("a port", 0, 65_535);

/** A name or an address, with or without brackets. */
const host: Parser<string> = (text) => {
  const bare = text.trim();
  try {
    const read = endpoint(bare.includes(":") && !bare.startsWith("[") ? `[${bare}]:0` : `${bare}:0`);
    if ("host" in read) return read.host;
  } catch {
    // What an endpoint would have to be is not what is asked for here.
  }
  throw new Error("expected a name or an address, such as localhost, 0.0.0.0 or ::1; the port is a key of its own, and paths are bind's");
};

/** As `chmod` takes them. */
const permissions: Parser<number> = (text) => {
  if (!/^0?o?[0-7]{3}$/.test(text.trim())) throw new Error("expected octal permission bits such as 0660");
  return Number.parseInt(text.trim().slice(-3), 8);
};

/** The keys of `[server:…]` that say where to listen. */
export const listenSpec: ListenSpec = {
  bind: optionalSetting(
    tupleOf(listenEndpoint),
    "Where to listen: `host:port`, `:9090` (all interfaces), `[::1]:9090`, `/run/app.sock`, `fd://3` (a listening socket that the process was started with), or several, separated by commas. `--bind` wins over it. Without it, and without `host` and `port`, `localhost:9090`.",
  ),
  host: optionalSetting(host, "The host to listen on, in place of `bind`. Default where `port` is set: `localhost`."),
  port: optionalSetting(port, "The port to listen on, in place of `bind`. Default where `host` is set: 9090."),
  backlog: setting(
    positive(integer),
    "1024",
    "How many connections the kernel keeps waiting for one socket; it cuts this to its own limit (Linux: `net.core.somaxconn`).",
  ),
  reuse_port: setting(
    boolean,
    "false",
    "Whether other processes may listen at the same port, too; the kernel gives each its share. Needs Node 22.12 or later. Workers need it not.",
  ),
  socket_mode: setting(permissions, "0660", "Who may connect to the unix sockets of `bind`: permission bits, octal."),
  socket_user: optionalSetting(
    unixUser,
    "Whose the unix sockets of `bind` are: a user's name or number. Needs the right to give files away.",
  ),
  socket_group: optionalSetting(unixGroup, "The group of the unix sockets of `bind`: its name or number."),
};
