import {
  errorAnswers,
  type FastifyInstance,
  type FastifyRequest,
  fieldProblem,
  fieldsOf,
  Problem,
} from "../../src/index.ts";
import type { Approvals } from "./approvals.ts";
import { fingerprintOf } from "./approved-keys.ts";

const form = {
  type: "object",
  properties: {
    md5_key: { type: "string", description: "SHA-256 fingerprint of an SSH public key, as ssh-keygen -lf shows it" },
  },
  required: ["md5_key"],
};

const answer = {
  type: "object",
  properties: {
    auth_status: { type: "string", enum: ["approved", "denied"] },
    isApprovedSession: { type: "boolean" },
  },
  required: ["auth_status", "isApprovedSession"],
};

/** `POST /check_fingerprint`. */
export function addApproval(app: FastifyInstance, approvals: Approvals): void {
  const schema = {
    tags: ["replicas"],
    summary: "Be approved by the fingerprint of a registered SSH public key",
    description:
      "The approval also comes back as a cookie and as `Authorization: Bearer …`; a caller that sends neither is known by its address until it expires.",
    response: {
      200: { description: "Approved, or not", content: { "application/json": { schema: answer } } },
      ...errorAnswers(400, 422, 429, 503),
    },
  };
  app.post("/check_fingerprint", { schema, attachValidation: true, config: { form } }, async (request, reply) => {
    const given = fieldsOf(request).get("md5_key");
    const fingerprint = given === undefined ? undefined : fingerprintOf(given);
    if (fingerprint === undefined) {
      const msg = given === undefined ? "field required" : "value is no SHA-256 fingerprint of 43 characters";
      throw fieldProblem({
        loc: ["body", "md5_key"],
        msg,
        type: given === undefined ? "value_error.missing" : "value_error",
      });
    }
    const approval = await approvals.approve(fingerprint, request);
    if (approval === undefined) return { auth_status: "denied", isApprovedSession: false };
    reply.headers({
      "set-cookie": approval.cookie,
      authorization: `Bearer ${approval.token}`,
      "cache-control": "no-store",
    });
    return { auth_status: "approved", isApprovedSession: true };
  });
}

/** Throws 403 with `body` besides for a caller that is not approved. */
export async function requireApproval(approvals: Approvals, request: FastifyRequest, body: object): Promise<void> {
  if (await approvals.isApproved(request)) return;
  const remedy = "Show the fingerprint of a registered key: POST /check_fingerprint.";
  throw new Problem(403, { ...body, error: "The caller is not approved", code: "FORBIDDEN", remedy });
}
