import { Annotations, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigateway'
import type { IDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose'
import * as logs from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'

import { accessLogFormat } from './edge/access-log.ts'
import { cors } from './edge/cors.ts'
import { addGatewayResponses } from './edge/gateway-responses.ts'
import { addPreflight } from './edge/preflight.ts'
import { addPut } from './edge/put.ts'

/** What an {@link Edge} is made of. */
export interface EdgeProps {
  /** Where clicks go. */
  readonly deliveryStream: IDeliveryStream
  /** Origins of the pages that send clicks, such as `https://www.example.com`. @default * (any page, with a warning) */
  readonly allowedOrigins?: string[]
  /** Requests a second that are let in, preflights included. @default 500 */
  readonly rate?: number
  /**
   * Requests that may come at once after a quiet time. With the rate they are the 1,000 puts a second that a stream takes
   * in most regions ("Amazon Data Firehose Quota", Direct PUT); what exceeds that is answered 429, too, and sent again by the page.
   *
   * @default 500
   */
  readonly burst?: number
  /** How long access logs are kept. @default one month */
  readonly logRetention?: logs.RetentionDays
  /**
   * Whether to make the role that lets API Gateway write logs. It is one for the whole account and region: give `false`
   * where there is one already, because the last one made is the one used.
   *
   * @default true
   */
  readonly createLogsRole?: boolean
}

/** `PUT /clicks`: checks a click, and puts it into the delivery stream without code or credentials in between. */
export class Edge extends Construct {
  readonly api: apigateway.RestApi
  /** The address for `createClicks({ url })` of the page. */
  readonly clicksUrl: string

  constructor(scope: Construct, id: string, props: EdgeProps) {
    super(scope, id)
    const origins = props.allowedOrigins ?? ['*']
    const allowed = cors(origins)
    if (origins.includes('*')) {
      Annotations.of(this).addWarningV2(
        'click-stream:any-origin',
        'allowedOrigins is *: a page of any origin can send clicks. Name the origins of your pages.',
      )
    }

    this.api = this.makeApi(props)
    addGatewayResponses(this.api, allowed)
    const clicks = this.api.root.addResource('clicks')
    addPut(this, this.api, clicks, props.deliveryStream, allowed)
    addPreflight(clicks, allowed)
    this.clicksUrl = this.api.urlForPath(clicks.path)
  }

  private makeApi(props: EdgeProps): apigateway.RestApi {
    const createLogsRole = props.createLogsRole ?? true
    const accessLogs = new logs.LogGroup(this, 'AccessLogs', {
      retention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const api = new apigateway.RestApi(this, 'Api', {
      // Metrics are told apart by this name alone, and two stacks may be in one account.
      restApiName: `${Stack.of(this).stackName}-clicks`,
      description: 'PUT /clicks into the delivery stream',
      endpointConfiguration: { types: [apigateway.EndpointType.REGIONAL] },
      disableExecuteApiEndpoint: false,
      cloudWatchRole: createLogsRole,
      // Other APIs of the account may have come to use it.
      ...(createLogsRole && { cloudWatchRoleRemovalPolicy: RemovalPolicy.RETAIN }),
      deployOptions: {
        stageName: 'prod',
        throttlingRateLimit: props.rate ?? 500,
        throttlingBurstLimit: props.burst ?? 500,
        accessLogDestination: new apigateway.LogGroupLogDestination(accessLogs),
        accessLogFormat,
        loggingLevel: apigateway.MethodLoggingLevel.OFF,
      },
    })
    // Outputs are the stack's.
    api.node.tryRemoveChild('Endpoint')

    Validations.of(api).acknowledge(
      {
        id: 'AwsSolutions-APIG2',
        reason: 'The validator checks the body against the model; there are no parameters to check.',
      },
      {
        id: 'AwsSolutions-APIG3',
        reason: 'The rate, the schema and API Gateway bound what comes in; a web ACL (Firewall) is an option.',
      },
      {
        id: 'AwsSolutions-APIG4',
        reason: 'Visitors who have not signed in click, too. The way leads to one action on one stream.',
      },
      { id: 'AwsSolutions-COG4', reason: 'Visitors who have not signed in click, too.' },
      {
        id: 'AwsSolutions-APIG6',
        reason: 'Execution logs hold what visitors sent where a body is refused; access logs tell the rest.',
      },
    )
    if (createLogsRole) {
      Validations.of(api.node.findChild('CloudWatchRole')).acknowledge({
        id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
        reason: "The role serves every API of the account, and API Gateway demands this policy's permissions of it.",
      })
    }
    return api
  }
}
