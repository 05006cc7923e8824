import { readFile } from "node:fs/promises";
import type { FastifyInstance, FastifyServerOptions } from "fastify";
import { MillraceError } from "../core/error.ts";
import type { Pipeline } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import { setting, type SettingsOf } from "../core/setting.ts";
import type { LoadedConfig } from "../runtime/config.ts";
import { openStore } from "../runtime/schemes.ts";
import { Service, type ServiceEvent } from "../runtime/service.ts";
import { Sessions } from "../runtime/sessions.ts";
import { Settings } from "../runtime/settings.ts";
import { Users, userSettings } from "../runtime/users.ts";
import type { Member } from "../runtime/workers/member.ts";
import type { UsedPlace } from "../runtime/workers/questions.ts";
import { addApi } from "./api/routes.ts";
import { buildApp } from "./app.ts";
import type { Application, Cycle, CycleWatch, WatchedPipeline } from "./application.ts";
import { applicationContext } from "./application-context.ts";
import { addConsole } from "./console.ts";
import { Drain } from "./drain.ts";
import { type Duty, dutyOf, type Role } from "./duty.ts";
import { addFront } from "./front.ts";
import { addHealth } from "./health.ts";
import { loggerOptions, logRequests } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { askPeers, listenToPeers, type PeerSocket } from "./peer.ts";
import { addSessions } from "./session.ts";
import { sharedLimitStore } from "./shared-limit.ts";

export type { Application, CycleWatch } from "./application.ts";
export { type Role, roles } from "./duty.ts";
export { runApplication } from "./run-application.ts";

/** Settings of the server itself. */
export const httpSettings = {
  port: setting.count(8080, "port to listen at; 0 for any that is free", { max: 65_535 }),
  host: setting.text("127.0.0.1", "address to listen at; 0.0.0.0 for all of this machine's"),
  rateLimit: setting.count(10, "requests per second of one client address to one route; 0 for no limit"),
  bodyBytes: setting.bytes(64 * 2 ** 20, "largest body taken"),
  requestSeconds: setting.count(300, "how long a request may take to arrive", { min: 1, max: 86_400 }),
  trustProxy: setting.flag(false, "whether X-Forwarded-For is believed: only behind a proxy that writes it"),
  tlsCert: setting.text("", "file of the certificate chain (PEM); with tlsKey the server speaks HTTPS"),
  tlsKey: setting.text("", "file of the certificate's private key (PEM)"),
} as const;

export interface ServerOptions {
  readonly applications: readonly Application[];
  readonly config: Pick<LoadedConfig, "file" | "settings" | "stateSchema">;
  /** `--set GROUP.NAME=VALUE`, as given; what other flags say among them. */
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly data: string;
  readonly version: string;
  /** What this process does of the applications' work. */
  readonly role?: Role;
  /** Where this process is one of several workers: the first of them runs the pipelines, when it is told to. */
  readonly member?: Member;
  readonly memoryBytes?: number;
  /** Gets the log, a JSON object a line. */
  readonly log: (line: string) => void;
  readonly onEvent: (event: ServiceEvent) => void;
}

export interface RunningServer {
  readonly app: FastifyInstance;
  readonly url: string;
  readonly places: readonly UsedPlace[];
  readonly hasUsers: boolean;
  /** Where other workers hand requests over. */
  readonly socket?: string;
  /**
   * Takes no new requests, finishes those under way and the batches at hand, and lets everything go. `gently`: another
   * process listens at the same port, and callers are left time to go over to it. Safe to call twice.
   */
  close(options?: { readonly gently?: boolean }): Promise<void>;
}

/**
 * Starts the service: opens what the applications need, listens, then follows their pipelines. Resolves when requests are
 * answered. Rejects, with everything closed again, with CONFIG_INVALID, ADDRESS_IN_USE or what a place says.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const settings = settingsOf(options);
  const metrics = new Metrics();
  const onEvent = (event: ServiceEvent): void => {
    metrics.observe(event);
    options.onEvent(event);
  };
  const service = await Service.open({ ...options, onEvent });
  metrics.watch(() => service.pipelines);
  try {
    return await listen(options, settings, service, metrics);
  } catch (error) {
    await service.close();
    throw error;
  }
}

function settingsOf({ applications, flags, environment, config, data }: ServerOptions): Settings {
  const groups = Object.fromEntries(applications.map((one) => [one.name, one.settings]));
  return new Settings({ ...groups, http: httpSettings, users: userSettings }, { flags, environment, config, data });
}

async function listen(
  options: ServerOptions,
  settings: Settings,
  service: Service,
  metrics: Metrics,
): Promise<RunningServer> {
  const http = settings.of("http", httpSettings);
  const store = service.session.closing(
    await openStore(settings.of("users", userSettings).place, service.session.context),
  );
  await store.open();
  const users = new Users(store, { now: () => service.session.context.now() });
  const sessions = new Sessions(store, users, () => service.session.context.now());
  const services = { users, sessions, version: options.version, bodyBytes: http.bodyBytes, scratch: service.scratch };
  const { member } = options;
  const app = await buildApp({
    services,
    rateLimit: http.rateLimit,
    ...(member === undefined ? {} : { limitStore: sharedLimitStore(member) }),
    trustProxy: http.trustProxy,
    requestMs: http.requestSeconds * 1_000,
    server: { logger: loggerOptions(options.log), ...(await tlsOf(http)) },
  });
  const duty = dutyOf(options.role ?? "all", member);
  const drain = new Drain(app);
  const opened: OpenedApplication[] = [];
  try {
    metrics.addTo(app, member);
    logRequests(app);
    await addConsole(app);
    addSessions(app);
    addFront(app, options.applications);
    addHealth(app, service);
    if (member !== undefined && !duty.works) askPeers(app, member);
    for (const application of options.applications) {
      opened.push(await open(application, settings, service, app, duty));
    }
    if (duty.serves) addApi(app, service);
    const url = await listenAt(app, http);
    const socket = member !== undefined && duty.works ? await listenToPeers(app) : undefined;
    const begin = (): void => {
      for (const one of opened) followAll(service, one);
    };
    duty.whenToWork(begin, (error) =>
      options.onEvent({ kind: "failed", what: "pipelines", error, pauseMs: undefined }),
    );
    const places = opened.flatMap((one) => one.places);
    const close = closing({ app, drain, service, opened, socket });
    return {
      app,
      url,
      places,
      hasUsers: await users.hasAny(),
      close,
      ...(socket === undefined ? {} : { socket: socket.path }),
    };
  } catch (error) {
    await app.close();
    throw error;
  }
}

async function open(
  application: Application,
  settings: Settings,
  service: Service,
  app: FastifyInstance,
  duty: Duty,
): Promise<OpenedApplication> {
  const { name } = application;
  const values = settings.of(name, application.settings);
  const context = applicationContext(service, name, values, duty);
  const opened = await application.open(context);
  if (duty.serves) opened.routes(app);
  const pipelines = opened.pipelines ?? [];
  for (const one of pipelines) await service.catalogue.add(name, "watch" in one ? one.pipeline : one);
  const places = Object.entries(application.settings).flatMap(([key, { kind }]) => {
    const value = values[key];
    return kind === "place" && value !== ""
      ? [{ setting: `${name}.${key}`, shown: parsePlace(String(value)).shown }]
      : [];
  });
  const cycle = opened.cycle?.isWanted === true ? opened.cycle : undefined;
  return { name, places, pipelines, cycle, close: async () => opened.close?.() };
}

interface OpenedApplication {
  readonly name: string;
  readonly cycle: Cycle | undefined;
  close(): Promise<void>;
  readonly places: readonly UsedPlace[];
  readonly pipelines: readonly (Pipeline | WatchedPipeline)[];
}

function followAll(service: Service, { name, pipelines, cycle }: OpenedApplication): void {
  if (cycle !== undefined)
    service.repeat(name, () => cycle.turn(serviceWatch((text) => service.session.context.notice(text))));
  for (const one of pipelines) {
    if ("watch" in one) service.follow(one.pipeline, one.watch);
    else service.follow(one);
  }
}

/** A service tells what came of a turn, not each step. */
function serviceWatch(notice: (text: string) => void): CycleWatch {
  const nothing = (): void => undefined;
  return { begun: nothing, done: nothing, say: nothing, summary: (lines) => notice(lines.at(-1) ?? "") };
}

type HttpSettings = SettingsOf<typeof httpSettings>;

async function tlsOf({
  tlsCert,
  tlsKey,
}: HttpSettings): Promise<Pick<FastifyServerOptions, never> & { https?: object }> {
  if (tlsCert === "" && tlsKey === "") return {};
  try {
    const [cert, key] = await Promise.all([readFile(tlsCert), readFile(tlsKey)]);
    return { https: { cert, key, minVersion: "TLSv1.2" } };
  } catch (cause) {
    throw new MillraceError("CONFIG_INVALID", "The files of http.tlsCert and http.tlsKey cannot be read", {
      remedy: "Name both, each a PEM file that this user may read.",
      cause,
    });
  }
}

async function listenAt(app: FastifyInstance, { host, port }: HttpSettings): Promise<string> {
  try {
    const { level } = app.log;
    app.log.level = "warn"; // the command line says where it listens
    const url = await app.listen({ host, port });
    app.log.level = level;
    // An address to click on: 0.0.0.0 is none.
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== "EADDRINUSE" && code !== "EACCES" && code !== "EADDRNOTAVAIL" && code !== "ENOTFOUND") throw cause;
    throw new MillraceError("ADDRESS_IN_USE", `The server cannot listen at ${host}:${port} (${code})`, {
      remedy: "Choose another port with --port, or end the program that listens there.",
      cause,
    });
  }
}

/** How long requests that are under way may take to end; those that have not even arrived whole are cut off then. */
const graceMs = 10_000;
const idleLooksMs = 100;

interface Closing {
  readonly app: FastifyInstance;
  readonly drain: Drain;
  readonly service: Service;
  readonly opened: readonly OpenedApplication[];
  readonly socket: PeerSocket | undefined;
}

function closing({ app, drain, service, opened, socket }: Closing): RunningServer["close"] {
  let closed: Promise<void> | undefined;
  const close = async (gently: boolean): Promise<void> => {
    service.announceStop();
    if (gently) await drain.run(service.session.context);
    const cut = setTimeout(() => app.server.closeAllConnections(), graceMs);
    // Connections that are kept alive end as soon as their last request is answered.
    const idle = setInterval(() => app.server.closeIdleConnections(), idleLooksMs);
    try {
      await app.close();
      await socket?.close();
      for (const one of opened) await one.close();
    } finally {
      clearTimeout(cut);
      clearInterval(idle);
      await service.close();
    }
  };
  return ({ gently = false } = {}) => (closed ??= close(gently));
}
