import type { Template } from 'aws-cdk-lib/assertions'
import { only } from './synth.ts'

export interface Widget {
  type: string
  x: number
  y: number
  width: number
  height: number
  properties: Record<string, any>
}

/** The widgets of the only dashboard, with logical ids for references. */
export function widgets(template: Template): Widget[] {
  const { DashboardBody } = only(template, 'AWS::CloudWatch::Dashboard')
  const parts: (string | Record<string, any>)[] = DashboardBody['Fn::Join'][1]
  const text = (part: (typeof parts)[number]) =>
    typeof part === 'string' ? part : (part.Ref ?? part['Fn::GetAtt']?.[0] ?? 'TOKEN')
  return JSON.parse(parts.map(text).join('')).widgets
}

/** `namespace metric statistic`, or an expression, of every line of a widget. */
export function lines({ properties }: Widget): string[] {
  return (properties.metrics ?? []).map((metric: any[]) => {
    const { expression, stat } = metric.at(-1)
    return expression ?? `${metric[0]} ${metric[1]} ${stat ?? 'Average'}`
  })
}
