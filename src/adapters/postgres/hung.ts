import type { Connections } from "./client.ts";
import type { StateNames } from "./state.ts";

/**
 * Ends sessions of this user that hold a lane and have stood still amid a COPY for longer than `ms`, because their
 * process hangs or the network is cut; answers how many. The server's own time for idle transactions does not pass there:
 * a COPY counts as a statement at work while it waits for its client. Ended is as good as fenced: nothing was committed.
 */
export async function endHungCopies(connections: Connections, { checkpoint }: StateNames, ms: number): Promise<number> {
  const text = `select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid)
where database = (select oid from pg_database where datname = current_database()) and relation = $1::regclass and mode = 'RowExclusiveLock' and granted and pid <> pg_backend_pid()
  and usename = current_user and state = 'active' and wait_event = 'ClientRead'
  and clock_timestamp() - query_start > $2 * interval '1 millisecond'`;
  const { rows } = await connections.ask("ending sessions that hang", { text, values: [checkpoint, ms] });
  return rows.length;
}
