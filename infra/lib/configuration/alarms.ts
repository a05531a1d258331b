import { text, whole } from './option.ts'

const topicArn = text(/^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$/, 'the ARN of an SNS topic')

/** The options of the alarms. */
export const alarmOptions = {
  alarmTopicArn: topicArn,
  pagerTopicArn: topicArn,
  alarmFailedRecords: whole(1, 1_000_000),
  alarmErrorObjects: whole(1, 1_000_000),
  alarmSilenceHours: whole(1, 168),
  alarmEmail: text(/^[^@\s]+@[^@\s]+\.[^@\s]+$/, 'an e-mail address'),
}
