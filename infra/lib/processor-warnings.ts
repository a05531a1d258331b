import { Annotations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'
import { RESPONSE_BUDGET_BYTES, worstResponseBytes } from './processor-buffer.ts'
import type { ProcessorSettings } from './processor-settings.ts'

/** Warns if the response to a full buffer can exceed the limit. */
export function warnOfBuffer(scope: IConstruct, bufferMib: number, settings: ProcessorSettings): void {
  const worst = worstResponseBytes(bufferMib, settings)
  if (worst > RESPONSE_BUDGET_BYTES) {
    Annotations.of(scope).addWarningV2(
      'click-stream:processor-buffer',
      `bufferMb: a buffer of ${bufferMib} MiB can produce a response of ${worst} bytes, above the limit of ${RESPONSE_BUDGET_BYTES}: ` +
        'records beyond the limit fail. Choose a smaller bufferMb or fewer attributes.',
    )
  }
}

/** Warns if requests to the service are not encrypted. */
export function warnOfHttp(scope: IConstruct, lookupApiUrl: string): void {
  if (/^http:/i.test(lookupApiUrl)) {
    Annotations.of(scope).addWarningV2(
      'click-stream:service-without-tls',
      'lookupApiUrl is http: responses of the service can be modified in transit. Use https.',
    )
  }
}
