import { fileURLToPath } from "node:url";
import type { SettingRules, SettingsOf } from "../core/setting.ts";
import type { Service } from "../runtime/service.ts";
import { Tickets } from "../runtime/tickets.ts";
import type { ApplicationContext } from "./application.ts";

/** What an application called `name` gets of a service; what it schedules is done where `works` is true. */
export function applicationContext(
  service: Service,
  name: string,
  settings: SettingsOf<SettingRules>,
  works: boolean,
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
      if (works) service.schedule(what, pattern, work);
    },
  };
}
