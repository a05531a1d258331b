import assert from 'node:assert/strict'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Template } from 'aws-cdk-lib/assertions'
import { lint } from '../support/cfn-lint.ts'
import { ROOT, run } from '../support/programs.ts'
import { only, propertiesOf, statements } from '../support/synth.ts'

/** These tests pack the constructs, install them into an empty app, and synthesise the examples there, as another team would. */
const INFRA = join(ROOT, 'infra')
const NAMES = readdirSync(`${INFRA}/examples`).map((file) => file.replace('.ts', ''))

const app = mkdtempSync(join(tmpdir(), 'constructs-'))
after(() => rmSync(app, { recursive: true }))
const write = (name: string, content: unknown) => writeFileSync(join(app, name), JSON.stringify(content))

const tarball = run('npm', ['run', '--silent', 'package', '--', '--pack-destination', app], INFRA).trim()
const files = run('tar', ['--list', '--file', join(app, tarball)])
  .trim()
  .split('\n')
  .map((path) => path.replace('package/', ''))

// The package has no dependencies but its peers, which are this app's own: so nothing is downloaded.
write('package.json', { private: true, type: 'module' })
run('npm', ['install', '--offline', '--legacy-peer-deps', '--no-audit', '--no-fund', tarball], app)
mkdirSync(`${app}/node_modules/@types`)
for (const name of ['aws-cdk-lib', 'cdk-nag', 'constructs', '@types/node'])
  symlinkSync(`${INFRA}/node_modules/${name}`, `${app}/node_modules/${name}`)

// Declarations are checked, too: `skipLibCheck` is false by default.
cpSync(`${INFRA}/examples`, `${app}/examples`, { recursive: true })
const documented = ['README.md', '../docs/guides/constructs.md'].flatMap((page) => programs(`${INFRA}/${page}`))
mkdirSync(`${app}/documented`)
for (const [index, program] of documented.entries()) writeFileSync(`${app}/documented/${index}.ts`, program)
write('tsconfig.json', {
  compilerOptions: { target: 'es2023', module: 'nodenext', types: ['node'], strict: true },
  include: ['examples', 'documented'],
})
run(`${INFRA}/node_modules/.bin/tsc`, ['--project', app])

cpSync(`${INFRA}/test/support/examples-app.mjs`, `${app}/app.mjs`)
writeFileSync(`${app}/code.zip`, '')
// Without CDK's own validation, which takes longest: cfn-lint checks more.
run('node', ['app.mjs'], app, { CDK_VALIDATION: 'false' })
const file = (name: string) => `${app}/cdk.out/${name}.template.json`
const templates = new Map(
  NAMES.map((name) => [name, Template.fromJSON(JSON.parse(readFileSync(file(name), 'utf8')))] as const),
)

/** The programs of a page, each as a module: its imports, and the rest as a method of a stack. */
function programs(page: string): string[] {
  return [...readFileSync(page, 'utf8').matchAll(/^ *```ts\n([^]*?)^ *```$/gm)].map(([, program]) => {
    const lines = program!.split('\n')
    const isImport = (line: string) => /^ *import /.test(line)
    const [imports, body] = [lines.filter(isImport), lines.filter((line) => !isImport(line))]
    return [
      "import { Stack } from 'aws-cdk-lib'",
      ...imports,
      'export class Documented extends Stack {',
      'build(): void {',
      ...body,
      '}}',
    ].join('\n')
  })
}

test('each program of the documents compiles', () => {
  assert.ok(documented.length > 1)
  for (const index of documented.keys()) assert.ok(existsSync(`${app}/documented/${index}.js`))
})

test('the tarball contains the constructs, their mapping templates and the schema', () => {
  const others = files.filter((path) => !path.startsWith('dist/'))
  assert.deepEqual(others.toSorted(), ['LICENSE', 'README.md', 'click.schema.json', 'package.json'])
  const sources = readdirSync(`${INFRA}/lib`, { recursive: true, encoding: 'utf8' })
  const mapping = (paths: string[]) => paths.filter((path) => path.endsWith('.vtl')).toSorted()
  assert.deepEqual(mapping(files), mapping(sources.map((path) => `dist/${path}`)))
})

/** Of the app, and of no construct. */
const OF_THE_APP = ['app', 'click-stream-stack', 'configuration', 'ingest-stack', 'mysfits-service', 'operations', 'processor-stack'] // prettier-ignore
for (const name of OF_THE_APP) {
  test(`the tarball contains nothing of lib/${name}`, () => {
    assert.ok(existsSync(`${INFRA}/lib/${name}`) || existsSync(`${INFRA}/lib/${name}.ts`))
    assert.deepEqual(files.filter((path) => path.startsWith(`dist/${name}/`) || path.startsWith(`dist/${name}.`)), []) // prettier-ignore
  })
}

test('CommonJS can load it, too', () => {
  const script = "console.log(typeof require('click-stream-constructs').ClickProcessor)"
  assert.equal(run('node', ['--input-type', 'commonjs', '--eval', script], app), 'function\n')
})

const idOf = (template: Template, type: string) => Object.keys(template.findResources(`AWS::${type}`))[0]!
const ref = (template: Template, type: string) => ({ Ref: idOf(template, type) })
const arn = (template: Template, type: string) => ({ 'Fn::GetAtt': [idOf(template, type), 'Arn'] })
const one = (template: Template, type: string) => only(template, `AWS::${type}`)
const all = (template: Template, type: string) => propertiesOf(template, `AWS::${type}`)
const count = (template: Template, type: string) => all(template, type).length

const parameters = (destination: any): Record<string, unknown> =>
  Object.fromEntries(
    destination.ProcessingConfiguration.Processors[0].Parameters.map((pair: any) => [
      pair.ParameterName,
      pair.ParameterValue,
    ]),
  )
const s3 = (template: Template) => one(template, 'KinesisFirehose::DeliveryStream').ExtendedS3DestinationConfiguration
const iceberg = (template: Template) => one(template, 'KinesisFirehose::DeliveryStream').IcebergDestinationConfiguration

/** The resources on which a role may do `action`. */
const mayDo = (template: Template, role: string, action: string) =>
  statements(template)
    .filter(({ role: name, statement }) => name.startsWith(role) && [statement.Action].flat().includes(action))
    .flatMap(({ statement }) => statement.Resource)

/** The text of an ARN in this account and region. */
const local = (service: string, name: string) => ({
  'Fn::Join': [
    '',
    [
      'arn:',
      { Ref: 'AWS::Partition' },
      `:${service}:`,
      { Ref: 'AWS::Region' },
      ':',
      { Ref: 'AWS::AccountId' },
      `:${name}`,
    ],
  ],
})

/** What each example promises: what its template has, and what is expected. */
// prettier-ignore
const PROMISES: Record<string, [promise: string, found: (t: Template) => unknown, expected: (t: Template) => unknown][]> = {
  'existing-bucket': [
    ['an invocation that fails is not repeated', (t) => parameters(s3(t)).NumberOfRetries, () => '0'],
    ['the stream invokes the alias', (t) => parameters(s3(t)).LambdaArn, (t) => ref(t, 'Lambda::Alias')],
    ['its role may invoke the alias', (t) => mayDo(t, 'ClicksS3DestinationRole', 'lambda:InvokeFunction'), (t) => [ref(t, 'Lambda::Alias')]],
    ['no bucket is created', (t) => count(t, 'S3::Bucket'), () => 0],
  ],
  'customer-managed-key': [
    ['the bucket has the key', (t) => one(t, 'S3::Bucket').BucketEncryption.ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.KMSMasterKeyID, (t) => arn(t, 'KMS::Key')],
    ['the data stream has the key', (t) => one(t, 'Kinesis::Stream').StreamEncryption.KeyId, (t) => arn(t, 'KMS::Key')],
    ['the topic has the key', (t) => one(t, 'SNS::Topic').KmsMasterKeyId, (t) => arn(t, 'KMS::Key')],
    ['the queues have the key', (t) => all(t, 'SQS::Queue').map((queue) => queue.KmsMasterKeyId), (t) => [arn(t, 'KMS::Key'), arn(t, 'KMS::Key')]],
    ['the delivery decrypts what it reads, and what it wrote', (t) => mayDo(t, 'DeliveryRole', 'kms:Decrypt'), (t) => [arn(t, 'KMS::Key'), arn(t, 'KMS::Key')]],
    ['the delivery encrypts', (t) => mayDo(t, 'DeliveryRole', 'kms:GenerateDataKey'), (t) => [arn(t, 'KMS::Key')]],
    ['the consumer decrypts messages and objects', (t) => mayDo(t, 'search-indexer', 'kms:Decrypt'), (t) => [arn(t, 'KMS::Key'), arn(t, 'KMS::Key')]],
    ['S3 and SNS may use the key', (t) => one(t, 'KMS::Key').KeyPolicy.Statement.map(({ Principal }: any) => Principal.Service).filter(Boolean), () => ['s3.amazonaws.com', 'sns.amazonaws.com']],
  ],
  vpc: [
    ['the function is in the subnets', (t) => one(t, 'Lambda::Function').VpcConfig.SubnetIds, () => ['subnet-0a1b2c3d4e5f60718', 'subnet-0a1b2c3d4e5f60719']],
    ['it has the security group', (t) => one(t, 'Lambda::Function').VpcConfig.SecurityGroupIds, () => [{ 'Fn::GetAtt': ['ProcessorSecurityGroup5037E122', 'GroupId'] }]],
    ['which allows only HTTPS to the endpoint', (t) => all(t, 'EC2::SecurityGroupEgress').map(({ FromPort, ToPort, DestinationSecurityGroupId }) => [FromPort, ToPort, DestinationSecurityGroupId]), (t) => [[443, 443, one(t, 'EC2::VPCEndpoint').SecurityGroupIds[0]]]],
    ['it may call the API', (t) => JSON.stringify(mayDo(t, 'ProcessorRole', 'execute-api:Invoke')).includes(':a1b2c3d4e5/prod/GET/*'), () => true],
  ],
  'custom-domain': [
    ["the API's own host name is disabled", (t) => one(t, 'ApiGateway::RestApi').DisableExecuteApiEndpoint, () => true],
    ['the domain is that of the API', (t) => one(t, 'ApiGateway::BasePathMapping').RestApiId, (t) => ref(t, 'ApiGateway::RestApi')],
    ['the domain requires TLS 1.2', (t) => one(t, 'ApiGateway::DomainName').SecurityPolicy, () => 'TLS_1_2'],
  ],
  'usage-plan': [
    ['clicks need a key, and preflights none', (t) => all(t, 'ApiGateway::Method').map(({ HttpMethod, ApiKeyRequired }) => [HttpMethod, ApiKeyRequired]).toSorted(), () => [['OPTIONS', false], ['PUT', true]]],
    ['pages may send the key', (t) => JSON.stringify(all(t, 'ApiGateway::Method')).includes("'Content-Type,x-api-key'"), () => true],
    ["the plan is for the API's stage", (t) => one(t, 'ApiGateway::UsagePlan').ApiStages.map(({ ApiId, Stage }: any) => [ApiId, Stage]), (t) => [[ref(t, 'ApiGateway::RestApi'), ref(t, 'ApiGateway::Stage')]]],
    ['the key is in the plan', (t) => one(t, 'ApiGateway::UsagePlanKey').KeyId, (t) => ref(t, 'ApiGateway::ApiKey')],
  ],
  'managed-rules': [
    ['the rules, in their order', (t) => one(t, 'WAFv2::WebACL').Rules.map(({ Name }: any) => Name), () => ['Rate', 'AWSManagedRulesCommonRuleSet', 'AWSManagedRulesKnownBadInputsRuleSet']],
    ['the firewall is that of the stage', (t) => JSON.stringify(one(t, 'WAFv2::WebACLAssociation').ResourceArn).includes(idOf(t, 'ApiGateway::Stage')), () => true],
  ],
  iceberg: [
    ['it appends only', (t) => iceberg(t).AppendOnly, () => true],
    ['the columns are in lower case', (t) => one(t, 'Glue::Table').TableInput.StorageDescriptor.Columns.map(({ Name }: any) => Name), () => ['userid', 'mysfitid', 'species', 'goodevil']],
    ['the lines have the same names', (t) => { const { EVENT_FIELDS, LOOKUP_ATTRIBUTES } = one(t, 'Lambda::Function').Environment.Variables; return [EVENT_FIELDS, LOOKUP_ATTRIBUTES] }, () => ['userid=/userId,mysfitid=/mysfitId', 'species,goodevil']],
    ['the table is an Iceberg table of version 2', (t) => one(t, 'Glue::Table').OpenTableFormatInput.IcebergInput, () => ({ MetadataOperation: 'CREATE', Version: '2' })],
    ['it is the destination', (t) => iceberg(t).DestinationTableConfigurationList, (t) => [{ DestinationDatabaseName: ref(t, 'Glue::Database'), DestinationTableName: ref(t, 'Glue::Table') }]],
    ['the stream invokes the alias', (t) => parameters(iceberg(t)).LambdaArn, (t) => ref(t, 'Lambda::Alias')],
    ['its role may invoke the alias', (t) => mayDo(t, 'Role', 'lambda:InvokeFunction'), (t) => [ref(t, 'Lambda::Alias')]],
    ['its role may update one table', (t) => mayDo(t, 'Role', 'glue:UpdateTable').map((resource) => /:(catalog|database|table)/.exec(JSON.stringify(resource))![1]), () => ['catalog', 'database', 'table']],
    ['it is created after the permissions', (t) => Object.values(t.findResources('AWS::KinesisFirehose::DeliveryStream'))[0]!.DependsOn.includes(Object.keys(t.findResources('AWS::IAM::Policy')).find((id) => id.startsWith('RoleDefaultPolicy'))), () => true],
  ],
  'ingest-existing': [
    ["no API is created but the collector's", (t) => count(t, 'ApiGateway::RestApi'), () => 1],
    ["no data stream is created but the collector's", (t) => count(t, 'Kinesis::Stream'), () => 1],
    ["no delivery is created but the collector's, into the bucket", (t) => JSON.stringify(s3(t).BucketARN).includes(':s3:::shop-lake'), () => true],
    ['API Gateway may put into the data stream', (t) => mayDo(t, 'IngestPutRole', 'kinesis:PutRecord'), () => ['arn:aws:kinesis:eu-central-1:111122223333:stream/orders']],
    ['the service may post orders', (t) => mayDo(t, 'checkout', 'execute-api:Invoke'), () => [local('execute-api', 'a1b2c3d4e5/*/POST/v2/orders')]],
    ['no bucket is created', (t) => count(t, 'S3::Bucket'), () => 0],
  ],
}

test('each example has promises', () => assert.deepEqual(Object.keys(PROMISES).toSorted(), NAMES.toSorted()))

for (const [name, rows] of Object.entries(PROMISES)) {
  for (const [promise, found, expected] of rows) {
    test(`${name}: ${promise}`, () => {
      const template = templates.get(name)!
      assert.deepEqual(found(template), expected(template))
    })
  }
}

/** What cdk-nag finds in the examples: the construct, the rule, and why it is accepted. None is about a construct of the package. */
const FINDINGS = [
  ['customer-managed-key/Bucket', 'AwsSolutions-S1', 'The example has no bucket for access logs.'],
  ['customer-managed-key/Consumer', 'AwsSolutions-IAM5', "Objects have generated names, and aws-cdk-lib's `grantRead` has wildcards."],
  ['customer-managed-key/Stream', 'AwsSolutions-KDS3', "The rule prefers the key that AWS manages for its cost; the example is about one's own."],
  ['existing-bucket/Clicks', 'AwsSolutions-IAM5', "Objects have generated names, and the grants of aws-cdk-lib's `S3Bucket` have wildcards."],
  ['iceberg/Role', 'AwsSolutions-IAM5', 'Objects have generated names.'],
  ['ingest-existing/Checkout', 'AwsSolutions-IAM5', 'The stage of an imported API is unknown.'],
] // prettier-ignore

test('cdk-nag finds nothing else in the examples', () => {
  const report = JSON.parse(readFileSync(`${app}/cdk.out/validation-report.json`, 'utf8'))
  const { violations } = report.pluginReports.find(({ pluginName }: any) => pluginName === 'AwsSolutions')
  const found = violations.flatMap(({ ruleName, violatingConstructs }: any) =>
    violatingConstructs.map(
      ({ constructPath }: any) => `${constructPath.split('/').slice(0, 2).join('/')} ${ruleName.replace(/\[.*/, '')}`,
    ),
  )
  const explained = FINDINGS.map(([construct, rule]) => `${construct} ${rule}`)
  assert.deepEqual([...new Set<string>(found)].toSorted(), explained)
})

test('cfn-lint finds nothing in the examples', () => {
  const { stdout, stderr, status } = lint(NAMES.map(file))
  assert.deepEqual([stdout, stderr, status], ['', '', 0])
})
