import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'

/** A dashboard has 24 columns. */
export const FULL_WIDTH = 24
/** Of a graph: six are in a row. */
export const WIDTH = 4
export const HEIGHT = 5

/** A heading of the next widgets. */
export function heading(name: string, width: number): cloudwatch.TextWidget {
  const background = cloudwatch.TextWidgetBackground.TRANSPARENT
  return new cloudwatch.TextWidget({ markdown: `## ${name}`, width, height: 1, background })
}

export function line(
  metric: cloudwatch.Metric | cloudwatch.MathExpression,
  label: string,
  color?: string,
): cloudwatch.IMetric {
  return metric.with({ label, color })
}

export function counts(title: string, ...left: cloudwatch.IMetric[]): cloudwatch.GraphWidget {
  return graph(title, { left, leftYAxis: { min: 0, showUnits: false } })
}

export function share(title: string, metric: cloudwatch.IMetric): cloudwatch.GraphWidget {
  return graph(title, { left: [metric], leftYAxis: { min: 0, max: 1, showUnits: false } })
}

/** A graph with the limit of its alarm. */
export function limited(title: string, metric: cloudwatch.IMetric, alarm: cloudwatch.Alarm): cloudwatch.GraphWidget {
  return graph(title, { left: [metric], leftAnnotations: [alarm.toAnnotation()] })
}

export function graph(title: string, props: cloudwatch.GraphWidgetProps): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({ title, width: WIDTH, height: HEIGHT, ...props })
}

/** The states of alarms. */
export function states(alarms: cloudwatch.IAlarm[], width: number, height = HEIGHT): cloudwatch.AlarmStatusWidget {
  return new cloudwatch.AlarmStatusWidget({ title: 'Alarms', alarms, width, height })
}
