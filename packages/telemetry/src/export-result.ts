import { type ExportResult, ExportResultCode } from "@opentelemetry/core";

/** Passes the result of an export to the SDK's callback. Never rejects. */
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
