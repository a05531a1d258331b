/** Constructs of the click stream for other CDK apps. The app in this package's repository is built from the same. */
export {
  AliasedFunction,
  type AliasedFunctionOptions,
  type AliasedFunctionProps,
  type Network,
} from './aliased-function.ts'
export { ApiFirewall, type ApiFirewallProps } from './api-firewall.ts'
export {
  ClickBuckets,
  type ClickBucketsProps,
  IngestBuckets,
  type IngestBucketsProps,
  type ObjectRetention,
} from './buckets.ts'
export { ClickProcessor, type ClickProcessorProps } from './click-processor.ts'
export { Collector, type CollectorProps } from './collector.ts'
export type { CollectorSettings } from './collector/settings.ts'
export { Edge, type EdgeProps } from './edge.ts'
export type { ApiOptions, Throttle } from './edge/api-options.ts'
export { FanOut, type FanOutProps } from './fan-out.ts'
export { icebergColumns } from './iceberg-columns.ts'
export type { LookupApi } from './lookup-api.ts'
export { lineFields, type ProcessorSettings, type RecordField } from './processor-settings.ts'
export { QueueWithDeadLetters, type QueueWithDeadLettersOptions, type QueueWithDeadLettersProps } from './queue.ts'
export { S3DeliveryStream, type S3DeliveryStreamProps } from './s3-delivery-stream.ts'
export { type Capacity, type ServiceDelivery, ServiceStream, type ServiceStreamProps } from './service-stream.ts'
export { type IngestStreamProps, StreamIngest, type StreamIngestProps } from './stream-ingest.ts'
export type { Authorization } from './stream-ingest/post.ts'
