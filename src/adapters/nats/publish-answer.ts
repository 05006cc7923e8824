import { JetStreamApiError } from "@nats-io/jetstream";
import { errors, type Msg } from "@nats-io/transport-node";

interface PublishAnswer {
  readonly stream?: string;
  readonly error?: ConstructorParameters<typeof JetStreamApiError>[0];
}

/** What JetStream says to a message that was published: undefined when it is stored, or the error. */
export function errorOf(answer: Msg, subject: string): Error | undefined {
  if (answer.headers?.code === 503) return new errors.NoRespondersError(subject);
  try {
    const { stream, error } = answer.json<PublishAnswer>();
    if (error !== undefined) return new JetStreamApiError(error);
    return stream === undefined ? new Error("what answers is not JetStream") : undefined;
  } catch (cause) {
    return new Error("what answers is not JetStream", { cause });
  }
}
