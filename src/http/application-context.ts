import { fileURLToPath } from "node:url";
import type { SettingRules, SettingsOf } from "../core/setting.ts";
import type { Service } from "../runtime/service.ts";
import { Tickets } from "../runtime/tickets.ts";
import type { ApplicationContext } from "./application.ts";
import type { Duty } from "./duty.ts";

/** What an application called `name` gets of a service; what it schedules is done by the process that works. */
export function applicationContext(
  service: Service,
  name: string,
  settings: SettingsOf<SettingRules>,
  duty: Pick<Duty, "works" | "isAtWork">,
): ApplicationContext {
  return {
    settings,
    warehouse: (url, contracts) => service.warehouse(name, url, contracts),
    backups: (place) => service.backups(place),
    insights: (folder, warehouse) => service.insights(fileURLToPath(folder), warehouse),
    log: (url) => service.log(url),
    appendable: (url) => service.appendable(url),
    store: (url) => service.store(url),
    replicas: (url) => service.replicas(url),
    drop: (url) => service.drop(url),
    notifier: (url) => service.notifier(url),
    tickets: (parts, repair) => new Tickets({ ...parts, context: service.session.context }, repair),
    relation: (url, options, work) => service.relation(url, options, work),
    scratch: service.scratch,
    notice: (text) => service.session.context.notice(text),
    now: () => service.session.context.now(),
    stopping: service.stopping,
    schedule: (what, pattern, work) => {
      if (duty.works) service.schedule(what, pattern, async () => (duty.isAtWork() ? work() : undefined));
    },
  };
}
