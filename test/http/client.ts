// Generated from docs/openapi.json by npm run openapi. Not to be edited.
// oxlint-disable

export interface ClientOptions {
  readonly url: string;
  /** HTTP Basic. */
  readonly username?: string;
  readonly password?: string;
}

type Values = Readonly<Record<string, string | number | boolean | Blob | undefined>>;

export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Metrics in the format of Prometheus */
  getMetrics(): Promise<Response> {
    return this.#ask("GET", "/metrics", {});
  }

  /** What this is */
  get(): Promise<{ readonly status: 200; readonly headers: Headers; readonly body: { readonly message: string } }> {
    return this.#ask("GET", "/", {});
  }

  /** Whether the process works */
  getHealthz(): Promise<{
    readonly status: 200;
    readonly headers: Headers;
    readonly body: { readonly status: string; readonly [name: string]: unknown };
  }> {
    return this.#ask("GET", "/healthz", {});
  }

  /** Whether it can do its work */
  getReadyz(): Promise<
    | {
        readonly status: 200;
        readonly headers: Headers;
        readonly body: { readonly status: string; readonly [name: string]: unknown };
      }
    | {
        readonly status: 503;
        readonly headers: Headers;
        readonly body: { readonly status: string; readonly [name: string]: unknown };
      }
  > {
    return this.#ask("GET", "/readyz", {});
  }

  /** Upload a CSV file of up to 1000 lines */
  postUpload(
    query: { mode?: "merge" | "append" },
    form: { readonly file: Blob; readonly username?: string; readonly password?: string },
  ): Promise<
    | {
        readonly status: 200;
        readonly headers: Headers;
        readonly body: {
          readonly file: string;
          readonly type: string;
          readonly columns: number;
          readonly rows: number;
          readonly result: string;
          readonly nrows_inserted: number;
          readonly rows_failed?: readonly { readonly [name: string]: string }[];
          readonly nrows_failed?: number;
          readonly "duration(s)": number;
          readonly nrows_merged?: number;
          readonly errors?: readonly {
            readonly line?: number;
            readonly column?: string | null;
            readonly value?: string | null;
            readonly code?: string;
            readonly reason?: string;
          }[];
        };
      }
    | {
        readonly status: 400;
        readonly headers: Headers;
        readonly body:
          | {
              readonly detail:
                | string
                | readonly {
                    readonly loc: readonly (string | number)[];
                    readonly msg: string;
                    readonly type: string;
                  }[];
            }
          | { readonly error?: string; readonly code?: string; readonly remedy?: string; readonly request?: string };
      }
    | {
        readonly status: 401;
        readonly headers: Headers;
        readonly body: {
          readonly detail:
            | string
            | readonly { readonly loc: readonly (string | number)[]; readonly msg: string; readonly type: string }[];
        };
      }
    | {
        readonly status: 403;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 405;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 413;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 422;
        readonly headers: Headers;
        readonly body: {
          readonly detail:
            | string
            | readonly { readonly loc: readonly (string | number)[]; readonly msg: string; readonly type: string }[];
        };
      }
    | {
        readonly status: 429;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 503;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
  > {
    return this.#ask("POST", "/upload", query, form);
  }

  /** Back a table up */
  postBackup(
    query: { table?: string },
    form: { readonly username?: string; readonly password?: string },
  ): Promise<
    | {
        readonly status: 200;
        readonly headers: Headers;
        readonly body: { readonly result: string; readonly "duration(s)": number };
      }
    | {
        readonly status: 400;
        readonly headers: Headers;
        readonly body:
          | {
              readonly detail:
                | string
                | readonly {
                    readonly loc: readonly (string | number)[];
                    readonly msg: string;
                    readonly type: string;
                  }[];
            }
          | { readonly error?: string; readonly code?: string; readonly remedy?: string; readonly request?: string };
      }
    | {
        readonly status: 401;
        readonly headers: Headers;
        readonly body: {
          readonly detail:
            | string
            | readonly { readonly loc: readonly (string | number)[]; readonly msg: string; readonly type: string }[];
        };
      }
    | {
        readonly status: 403;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 405;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 422;
        readonly headers: Headers;
        readonly body: {
          readonly detail:
            | string
            | readonly { readonly loc: readonly (string | number)[]; readonly msg: string; readonly type: string }[];
        };
      }
    | {
        readonly status: 429;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 503;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
  > {
    return this.#ask("POST", "/backup", query, form);
  }

  /** List backups, newest first */
  getBackups(
    query: { table?: string } = {},
  ): Promise<
    | {
        readonly status: 200;
        readonly headers: Headers;
        readonly body: readonly {
          readonly table: string;
          readonly version?: string;
          readonly rows?: number;
          readonly createdAt?: string;
          readonly state: "complete" | "running" | "failed";
          readonly [name: string]: unknown;
        }[];
      }
    | {
        readonly status: 401;
        readonly headers: Headers;
        readonly body: {
          readonly detail:
            | string
            | readonly { readonly loc: readonly (string | number)[]; readonly msg: string; readonly type: string }[];
        };
      }
    | {
        readonly status: 403;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 405;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 429;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 503;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
  > {
    return this.#ask("GET", "/backups", query);
  }

  /** Restore a table from a backup */
  postRestore(
    query: { table?: string; version?: string; format?: "parquet" | "avro" },
    form: { readonly username?: string; readonly password?: string },
  ): Promise<
    | {
        readonly status: 200;
        readonly headers: Headers;
        readonly body: { readonly result: string; readonly "duration(s)": number };
      }
    | {
        readonly status: 400;
        readonly headers: Headers;
        readonly body:
          | {
              readonly detail:
                | string
                | readonly {
                    readonly loc: readonly (string | number)[];
                    readonly msg: string;
                    readonly type: string;
                  }[];
            }
          | { readonly error?: string; readonly code?: string; readonly remedy?: string; readonly request?: string };
      }
    | {
        readonly status: 401;
        readonly headers: Headers;
        readonly body: {
          readonly detail:
            | string
            | readonly { readonly loc: readonly (string | number)[]; readonly msg: string; readonly type: string }[];
        };
      }
    | {
        readonly status: 403;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 404;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 405;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 409;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 422;
        readonly headers: Headers;
        readonly body: {
          readonly detail:
            | string
            | readonly { readonly loc: readonly (string | number)[]; readonly msg: string; readonly type: string }[];
        };
      }
    | {
        readonly status: 429;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 503;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
  > {
    return this.#ask("POST", "/restore", query, form);
  }

  /** The records of an insight */
  getInsights(query: {
    table: string;
    limit?: number;
  }): Promise<
    | {
        readonly status: 200;
        readonly headers: Headers;
        readonly body: readonly { readonly [name: string]: unknown }[];
      }
    | {
        readonly status: 405;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 422;
        readonly headers: Headers;
        readonly body: {
          readonly detail:
            | string
            | readonly { readonly loc: readonly (string | number)[]; readonly msg: string; readonly type: string }[];
        };
      }
    | {
        readonly status: 429;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 503;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
  > {
    return this.#ask("GET", "/insights", query);
  }

  /** Departments that hired more employees in a year than the mean of all departments, most first. Departments that hired nobody count in the mean. */
  getInsightsDepartmentsHiredAboveMean(
    query: { year?: number; limit?: number } = {},
  ): Promise<
    | {
        readonly status: 200;
        readonly headers: Headers;
        readonly body: readonly {
          readonly id: number | null;
          readonly department: string | null;
          readonly hired: number | null;
        }[];
      }
    | {
        readonly status: 422;
        readonly headers: Headers;
        readonly body: {
          readonly detail:
            | string
            | readonly { readonly loc: readonly (string | number)[]; readonly msg: string; readonly type: string }[];
        };
      }
    | {
        readonly status: 429;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 503;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
  > {
    return this.#ask("GET", "/insights/DEPARTMENTS_HIRED_ABOVE_MEAN", query);
  }

  /** Employees hired per department and job in each quarter of a year. Those whose department or job is not known are not counted. */
  getInsightsHiresDepartmentJob(
    query: { year?: number; limit?: number } = {},
  ): Promise<
    | {
        readonly status: 200;
        readonly headers: Headers;
        readonly body: readonly {
          readonly department: string | null;
          readonly job: string | null;
          readonly q1: number | null;
          readonly q2: number | null;
          readonly q3: number | null;
          readonly q4: number | null;
        }[];
      }
    | {
        readonly status: 422;
        readonly headers: Headers;
        readonly body: {
          readonly detail:
            | string
            | readonly { readonly loc: readonly (string | number)[]; readonly msg: string; readonly type: string }[];
        };
      }
    | {
        readonly status: 429;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 503;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
  > {
    return this.#ask("GET", "/insights/HIRES_DEPARTMENT_JOB", query);
  }

  /** Employees whose department or job is not in its table, as files come in any order. */
  getInsightsUnknownReferences(
    query: { limit?: number } = {},
  ): Promise<
    | {
        readonly status: 200;
        readonly headers: Headers;
        readonly body: readonly {
          readonly id: number | null;
          readonly reference: string | null;
          readonly value: number | null;
        }[];
      }
    | {
        readonly status: 422;
        readonly headers: Headers;
        readonly body: {
          readonly detail:
            | string
            | readonly { readonly loc: readonly (string | number)[]; readonly msg: string; readonly type: string }[];
        };
      }
    | {
        readonly status: 429;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 503;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
  > {
    return this.#ask("GET", "/insights/UNKNOWN_REFERENCES", query);
  }

  /** Store events of vehicles */
  postEvents(): Promise<
    | {
        readonly status: 200;
        readonly headers: Headers;
        readonly body:
          | { readonly [name: string]: unknown }
          | {
              readonly accepted: number;
              readonly rejected: number;
              readonly errors: readonly { readonly index?: number; readonly error?: string }[];
            };
      }
    | {
        readonly status: 400;
        readonly headers: Headers;
        readonly body:
          | {
              readonly detail:
                | string
                | readonly {
                    readonly loc: readonly (string | number)[];
                    readonly msg: string;
                    readonly type: string;
                  }[];
            }
          | { readonly error?: string; readonly code?: string; readonly remedy?: string; readonly request?: string };
      }
    | {
        readonly status: 413;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 503;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
  > {
    return this.#ask("POST", "/events", {});
  }

  /** How many events were stored, as a page */
  getEvents(): Promise<
    | { readonly status: 200; readonly headers: Headers; readonly body: string }
    | {
        readonly status: 503;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
  > {
    return this.#ask("GET", "/events", {});
  }

  /** Live figures as server-sent events */
  getApiLive(): Promise<
    | { readonly status: 200; readonly headers: Headers; readonly body: string }
    | {
        readonly status: 429;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
    | {
        readonly status: 503;
        readonly headers: Headers;
        readonly body: {
          readonly error?: string;
          readonly code?: string;
          readonly remedy?: string;
          readonly request?: string;
        };
      }
  > {
    return this.#ask("GET", "/api/live", {});
  }

  async #ask<Answer>(method: string, path: string, query: Values, form?: Values): Promise<Answer> {
    const url = new URL(path, this.#options.url);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const body = new FormData();
    for (const [name, value] of Object.entries(form ?? {})) {
      if (value !== undefined) body.append(name, value instanceof Blob ? value : String(value));
    }
    const { username, password } = this.#options;
    const headers: Record<string, string> = { accept: "application/json" };
    if (username !== undefined)
      headers["authorization"] = `Basic ${Buffer.from(`${username}:${password ?? ""}`).toString("base64")}`;
    const response = await fetch(url, { method, headers, ...(form === undefined ? {} : { body }) });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text } as Answer;
  }
}
