import { AbortMultipartUploadCommand, ListMultipartUploadsCommand, type S3Client } from "@aws-sdk/client-s3";
import { archiveSegments } from "../../core/archive-name.ts";
import type { Address } from "./address.ts";

/** An upload in parts that began so long ago belongs to nobody any more. */
const leftBehindMs = 7 * 24 * 3600 * 1000;

/** Ends uploads in parts of names of this archive that were begun long before `nowMs` and never ended. */
export async function removeUnfinished(client: S3Client, { bucket, prefix }: Address, nowMs: number): Promise<void> {
  let from: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | undefined = {};
  while (from !== undefined) {
    const page = await listUploads(client, bucket, prefix, from);
    for (const { Key: key = "", UploadId: id, Initiated: begun } of page.Uploads ?? []) {
      const isOurs = key.startsWith(prefix) && archiveSegments(key.slice(prefix.length)) !== undefined;
      if (!isOurs || begun === undefined || nowMs - begun.getTime() < leftBehindMs) continue;
      await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: id }));
    }
    from = page.IsTruncated === true ? markersOf(page.NextKeyMarker, page.NextUploadIdMarker) : undefined;
  }
}

function listUploads(client: S3Client, bucket: string, prefix: string, from: object) {
  return client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...from }));
}

/** Undefined, which ends the listing, where a server says that there is more and not from where on. */
function markersOf(key: string | undefined, id: string | undefined) {
  return key === undefined || id === undefined ? undefined : { KeyMarker: key, UploadIdMarker: id };
}
