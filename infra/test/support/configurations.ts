/** All that has to be given. */
export const SERVICE = { mysfitsApiUrl: 'https://id.execute-api.us-east-1.amazonaws.com/prod' }

/** Every option that adds or changes a resource is in one of these. */
export const CONFIGURATIONS = {
  'only the service': SERVICE,
  'the service deployed, and every option': {
    mysfitsService: true,
    partitionKeys: 'goodevil,species',
    sourceBackup: true,
    firewallRequests: 1000,
    allowedOrigins: 'https://a.example,https://b.example',
    alarmEmail: 'on-call@a.example',
    reservedConcurrency: 10,
  },
  'Parquet, one origin, a topic that exists': {
    ...SERVICE,
    parquet: true,
    allowedOrigins: 'https://a.example',
    firewallRequests: 100,
    apiGatewayLogsRole: false,
    alarmTopicArn: 'arn:aws:sns:us-east-1:123456789012:alarms',
    mysfitsApiKeySecret: 'mysfits/key',
    recordFields: 'arrivedAt,recordId',
  },
}
