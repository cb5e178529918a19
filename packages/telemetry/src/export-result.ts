import { type ExportResult, ExportResultCode } from "@opentelemetry/core";

/** Tells the SDK, which wants a callback, how an export ended. Never rejects. */
export async function reportExport(
  exporting: Promise<void>,
  done: (result: ExportResult) => void,
): Promise<void> {
  let result: ExportResult = { code: ExportResultCode.SUCCESS };
  try {
    await exporting;
  } catch (error) {
    const dropped = new Error("Spans were dropped", { cause: error });
    result = { code: ExportResultCode.FAILED, error: dropped };
  }
  done(result);
}
