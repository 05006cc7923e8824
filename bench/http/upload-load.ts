// node bench/http/upload-load.ts JSON: uploads for a time over connections that stay open, each with the next upload as
// soon as the last is answered; says how many there were and how long they took. An answer that is not right ends it.
import { Agent, request } from "node:http";
import { performance } from "node:perf_hooks";
import { text } from "node:stream/consumers";
import { UploadForm, uploadBad, uploadRows } from "./upload-form.ts";

export interface UploadLoad {
  readonly url: string;
  readonly clients: number;
  readonly seconds: number;
  /** Ends it sooner. */
  readonly uploadsMax?: number;
  /** Whether each upload has ids of its own; else all have the same. */
  readonly fresh: boolean;
}

export interface UploadsDone {
  readonly uploads: number;
  readonly ms: number;
  /** Of one upload, as a client sees it. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Answer {
  readonly rows?: number;
  readonly nrows_inserted?: number;
  readonly nrows_merged?: number;
  readonly nrows_failed?: number;
  readonly rows_failed?: readonly { readonly id: string }[];
  readonly errors?: readonly unknown[];
}

const answerMs = 30_000;

async function send(agent: Agent, url: string, contentType: string, body: Buffer): Promise<Answer> {
  const headers = { "content-type": contentType, "content-length": body.length };
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method: "POST", headers, timeout: answerMs }, (response) => {
      text(response).then((said) => {
        if (response.statusCode === 200) resolve(JSON.parse(said) as Answer);
        else reject(new Error(`an upload was answered with ${response.statusCode}: ${said.slice(0, 500)}`));
      }, reject);
    });
    sent.once("timeout", () => sent.destroy(new Error(`no answer within ${answerMs} ms`)));
    sent.once("error", reject);
    sent.end(body);
  });
}

/** An answer is right when it counts every record and names the refused ones. Of a repeated file the rows are there. */
function expectAnswer(answer: Answer, badIds: readonly string[], isNew: boolean): void {
  const { rows, nrows_inserted, nrows_merged = 0, nrows_failed, rows_failed = [], errors = [] } = answer;
  const good = uploadRows - uploadBad;
  const counts = [rows, nrows_inserted, nrows_merged, nrows_failed, errors.length];
  const wanted = [uploadRows, isNew ? good : 0, isNew ? 0 : good, uploadBad, uploadBad];
  const areIdsRight =
    rows_failed.length === badIds.length && rows_failed.every(({ id }, index) => id === badIds[index]);
  if (areIdsRight && counts.every((count, index) => count === wanted[index])) return;
  const { rows_failed: _, errors: __, ...shown } = answer;
  throw new Error(`an upload was answered wrongly: ${JSON.stringify(shown)}, ids ${areIdsRight ? "right" : "wrong"}`);
}

async function load({
  url,
  clients,
  seconds,
  fresh,
  uploadsMax = Number.POSITIVE_INFINITY,
}: UploadLoad): Promise<UploadsDone> {
  const form = new UploadForm();
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const times: number[] = [];
  let next = 0;
  const upload = async (number: number, isNew: boolean): Promise<void> => {
    const began = performance.now();
    const answer = await send(agent, `${url}/upload`, form.contentType, form.body(number));
    times.push(performance.now() - began);
    expectAnswer(answer, form.badIdsOf(number), isNew);
  };
  // The first one logs in, which is computed once, and of a repeated file brings the rows that the others repeat.
  await upload(next++, true);
  times.length = 0;
  const began = performance.now();
  const isOver = (): boolean => times.length >= uploadsMax || performance.now() - began >= seconds * 1000;
  const client = async (): Promise<void> => {
    while (!isOver()) await upload(fresh ? next++ : 0, fresh);
  };
  await Promise.all(Array.from({ length: clients }, client));
  const ms = performance.now() - began;
  agent.destroy();
  times.sort((a, b) => a - b);
  const at = (share: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  return { uploads: times.length, ms, p50Ms: at(0.5), p99Ms: at(0.99) };
}

console.log(JSON.stringify(await load(JSON.parse(process.argv[2] ?? "") as UploadLoad)));
