import { Aws, Stack } from 'aws-cdk-lib'
import * as glue from 'aws-cdk-lib/aws-glue'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as firehose from 'aws-cdk-lib/aws-kinesisfirehose'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import * as s3 from 'aws-cdk-lib/aws-s3'
import { ClickProcessor, icebergColumns, type ProcessorSettings } from 'click-stream-constructs'
import type { Construct } from 'constructs'

/** Enriched clicks in an Apache Iceberg table of the Glue Data Catalog. aws-cdk-lib has no L2 for this destination. */
export class Iceberg extends Stack {
  constructor(scope: Construct, id: string, zip: string) {
    super(scope, id)
    // Names in lower case: Firehose finds a column's value by its exact name.
    const settings: ProcessorSettings = {
      eventFields: ['userid=/userId', 'mysfitid=/mysfitId'],
      lookupAttributes: ['species', 'goodevil'],
    }
    const bucket = s3.Bucket.fromBucketName(this, 'Bucket', 'shop-lake')
    const database = new glue.Database(this, 'Database', { databaseName: 'shop' })
    const table = new glue.CfnTable(this, 'Table', {
      catalogId: Aws.ACCOUNT_ID,
      databaseName: database.databaseName,
      openTableFormatInput: { icebergInput: { metadataOperation: 'CREATE', version: '2' } },
      tableInput: {
        name: 'clicks',
        tableType: 'EXTERNAL_TABLE',
        storageDescriptor: { location: bucket.s3UrlForObject('clicks'), columns: icebergColumns(settings) },
      },
    })
    const processor = new ClickProcessor(this, 'Processor', {
      code: lambda.Code.fromAsset(zip),
      lookupApiUrl: 'https://shop.example/prod',
      settings,
    })
    const logGroup = new logs.LogGroup(this, 'Logs', { retention: logs.RetentionDays.ONE_MONTH })
    const { logStreamName } = new logs.LogStream(this, 'Log', { logGroup })

    // The permissions of the Firehose developer guide ("Grant Firehose access to an Apache Iceberg Tables destination"), for this table
    // only. If Lake Formation manages the catalog, the role needs its permissions on the table, too.
    const catalogArn = this.formatArn({ service: 'glue', resource: 'catalog' })
    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('firehose.amazonaws.com', {
        conditions: { StringEquals: { 'sts:ExternalId': Aws.ACCOUNT_ID } },
      }),
    })
    const allow = (actions: string[], ...resources: string[]) =>
      role.addToPolicy(new iam.PolicyStatement({ actions, resources }))
    allow(
      ['glue:GetDatabase', 'glue:GetTable', 'glue:UpdateTable'],
      ...[catalogArn, database.databaseArn],
      this.formatArn({ service: 'glue', resource: 'table', resourceName: `${database.databaseName}/${table.ref}` }),
    )
    allow(['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'], bucket.bucketArn)
    allow(
      ['s3:AbortMultipartUpload', 's3:DeleteObject', 's3:GetObject', 's3:PutObject'],
      ...[bucket.arnForObjects('clicks/*'), bucket.arnForObjects('errors/clicks/*')],
    )
    allow(['logs:PutLogEvents'], logGroup.logGroupArn)
    processor.grantInvoke(role)

    const stream = new firehose.CfnDeliveryStream(this, 'Stream', {
      deliveryStreamType: 'DirectPut',
      deliveryStreamEncryptionConfigurationInput: { keyType: 'AWS_OWNED_CMK' },
      icebergDestinationConfiguration: {
        roleArn: role.roleArn,
        catalogConfiguration: { catalogArn },
        // Firehose scales the stream itself, as nothing is updated or deleted. It can be set only at creation.
        appendOnly: true,
        destinationTableConfigurationList: [
          { destinationDatabaseName: database.databaseName, destinationTableName: table.ref },
        ],
        // Each delivery is a commit: large and rare ones keep the table's metadata small.
        bufferingHints: { intervalInSeconds: 300, sizeInMBs: 64 },
        processingConfiguration: { enabled: true, processors: [processor.cfnProcessor()] },
        cloudWatchLoggingOptions: { enabled: true, logGroupName: logGroup.logGroupName, logStreamName },
        // What can't be delivered.
        s3Configuration: {
          bucketArn: bucket.bucketArn,
          roleArn: role.roleArn,
          errorOutputPrefix: 'errors/clicks/!{firehose:error-output-type}/',
        },
      },
    })
    // Firehose checks the role and the table when the stream is created.
    stream.node.addDependency(role)
  }
}
