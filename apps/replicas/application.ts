import { application, type MillraceError, setting } from "../../src/index.ts";
import { addApproval } from "./approval-routes.ts";
import { Approvals } from "./approvals.ts";
import { ApprovedKeys } from "./approved-keys.ts";
import { cleaned, cleaningOf } from "./cleaning.ts";
import { requireExpected } from "./expected.ts";
import { refusalOf, replicaNameOf, sourceOf } from "./replica-files.ts";
import { addReplicaRoutes } from "./replica-routes.ts";
import { repairWith, Replicating } from "./replicating.ts";
import { Reporting } from "./reporting.ts";
import { addTicketRoutes } from "./ticket-routes.ts";

const settings = {
  from: setting.place("file:{data}/IN_STREAM", "folder into which files and their tickets are put"),
  store: setting.place(
    "file:{data}/replicas.db",
    "where replicas and approvals are kept: a file or redis://HOST:PORT/DB",
  ),
  keys: setting.place("file:{data}/replicas.keys", "file of the SSH public keys that are approved, one a line"),
  mail: setting.place("file:{data}/mail", "where reports go: smtp://, smtps://, or a folder of .eml files"),
  mailTo: setting.text("", "addresses and domains that reports may be sent to, parted by commas; empty for none"),
  unsentMail: setting.place("file:{data}/mail", "folder in which reports are kept that could not be sent"),
  webhook: setting.place("", "http(s) address that is told of each run; empty for none"),
  sessionMinutes: setting.count(60, "how long an approval holds", { min: 1, max: 10_080 }),
  expected: setting.text(
    "",
    "names of files that are to come anew by each time of replicas.expectedBy, parted by commas",
  ),
  expectedBy: setting.text("", "a cron pattern: when it is looked for the files that are expected; empty for never"),
  schedule: setting.text(
    "* * * * *",
    "when announced files are registered without being asked: a cron pattern; empty for never",
  ),
};

/** Files that tickets announce, cleaned into a cache that many may read. */
export const replicas = application({
  name: "replicas",
  about: "files that tickets announce, cleaned and profiled, as replicas in Redis or an embedded store",
  settings,
  contracts: [],
  async open(context) {
    const { from, store: place, keys, sessionMinutes, schedule, mail, mailTo, unsentMail, webhook } = context.settings;
    const [store, cache, drop] = [await context.store(place), await context.replicas(place), await context.drop(from)];
    const tickets = context.tickets({ drop, store, refuses: refusalOf, nameOf: replicaNameOf }, repairWith(cache));
    const now = (): number => context.now();
    const approvals = new Approvals(store, new ApprovedKeys(keys), sessionMinutes * 60_000, now);
    const replicating = new Replicating({
      ...{ drop, tickets, replicas: cache, store, clean: cleaned, now },
      relation: (ticket, work) => {
        const { fileName } = ticket;
        return context.relation(drop.url(fileName), { source: sourceOf(fileName), shape: cleaningOf(ticket) }, work);
      },
    });
    if (schedule !== "") context.schedule("replicas.schedule", schedule, () => replicating.tick());
    const reporting = new Reporting({
      mail: await context.notifier(mail),
      unsent: await context.notifier(unsentMail),
      webhook: webhook === "" ? undefined : await context.notifier(webhook),
      allowed: mailTo,
      notice: (text) => context.notice(text),
    });
    const { expected, expectedBy } = context.settings;
    const alert = (error: MillraceError): Promise<void> => reporting.to(undefined).failed(error);
    if (expectedBy !== "") {
      const look = (): Promise<void> => requireExpected({ drop, store, names: expected, alert });
      context.schedule("replicas.expectedBy", expectedBy, look);
    }
    return {
      routes(app) {
        addApproval(app, approvals);
        addTicketRoutes(app, { approvals, replicating, reporting });
        addReplicaRoutes(app, { approvals, replicas: cache });
      },
    };
  },
});
