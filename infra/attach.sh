#!/bin/sh
# Attaches the processor of a stack to a Firehose stream that exists, or restores what was there before: see `attach.sh --help`.
set -eu
export LC_ALL=C

usage() {
    cat <<'END'
Usage: attach.sh [--undo] STREAM [STACK]

Shows the UpdateDestination that attaches the processor of STACK (ClickStream-Processor) to the Firehose stream STREAM,
asks on standard input, and sends it. A Lambda function that is attached already is replaced; other processors stay.
STREAM.before.json, in this folder, keeps the processing configuration before it. --undo restores that one.

It calls the AWS CLI, version 1 or 2, with its region and credentials: cloudformation:DescribeStacks,
firehose:DescribeDeliveryStream, firehose:UpdateDestination.

Exit codes: 0 attached, restored, or nothing to do; 1 an error, or the answer was not "yes"; 2 wrong usage.
END
}

fail() {
    echo "error: $1" >&2
    exit "${2:-1}"
}

# Where a stream has its processors, and those in use: they must not be enabled with the function if their configuration is not.
s3='Destinations[0].ExtendedS3DestinationDescription'
in_use="($s3.ProcessingConfiguration.Enabled && $s3.ProcessingConfiguration.Processors || \`[]\`)"
attached="$in_use[?Type=='Lambda'].Parameters[] | [?ParameterName=='LambdaArn'].ParameterValue | [0]"

# The output of the AWS CLI is one line: the values of the query, separated by tabs. JSON has no tabs, because they are escaped in it.
tab=$(printf '\t')
describe() {
    aws firehose describe-delivery-stream --delivery-stream-name "$stream" --output text --query "DeliveryStreamDescription | $1"
}

# Shows the request for a processing configuration, and asks. The version of the description is in the request, so that AWS refuses it
# if the stream was changed in the meantime.
confirm() {
    configuration=$(printf '%s' "$1" | sed -e 's/{"Type"/\
  &/g' -e 's/{"ParameterName"/\
   &/g')
    request="{\"DeliveryStreamName\": \"$stream\", \"CurrentDeliveryStreamVersionId\": \"$version\", \"DestinationId\": \"$destination\",
 \"ExtendedS3DestinationUpdate\": {\"ProcessingConfiguration\": $configuration}}"
    printf 'UpdateDestination:\n\n%s\n\nSend it? (yes/no) ' "$request"
    read -r answer || answer=
    echo
    [ "$answer" = yes ] || fail 'nothing was changed, because the answer was not "yes"'
}

attach() {
    found=$(aws cloudformation describe-stacks --stack-name "$stack" --output text --query "Stacks[0].Outputs |
        [[?OutputKey=='LambdaProcessor'].OutputValue | [0], [?OutputKey=='StreamRoleName'].OutputValue | [0]]") || exit 1
    IFS=$tab read -r processor role_name <<END
$found
END
    [ "$processor" != None ] ||
        fail "STACK: found $stack without the output LambdaProcessor; accepted: a stack of the app's Processor, or of infra/sam"

    # The delimiter follows what the function returns.
    others="$in_use[?Type!='Lambda' && Type!='AppendDelimiterToRecord']"
    last="$in_use[?Type=='AppendDelimiterToRecord']"
    found=$(describe "[VersionId, Destinations[0].DestinationId, join(',', keys(Destinations[0])), $s3.RoleARN, $s3.ErrorOutputPrefix || \`null\`,
        $last | [0].Type, $attached, to_string($s3.ProcessingConfiguration || \`{\"Enabled\": false}\`),
        to_string({Enabled: \`true\`, Processors: [$others, \`[$processor]\`, $last][]})]") || exit 1
    IFS=$tab read -r version destination kinds role errors delimiter function before after <<END
$found
END
    [ "$role" != None ] || fail "STREAM: found $stream with $kinds; accepted: a stream with an ExtendedS3DestinationDescription"
    [ -n "$after" ] || fail "STREAM: found an unexpected description of $stream"
    [ "${role##*/}" = "$role_name" ] ||
        fail "STREAM: found $stream with the role ${role##*/}; accepted: $role_name, which $stack allows to invoke the function. Deploy it with the name of the stream's role"
    if [ "$before" = "$after" ]; then
        echo "Nothing to do: the processor of $stack is attached to $stream."
        exit
    fi

    # What was there before the processor is restored, also after another update of the processor itself.
    case "$processor" in
    *"\"$function\""*) again=yes ;;
    *) again=no ;;
    esac
    if [ -e "$file" ] && [ "$again" = no ] && [ "$(cat "$file")" != "$before" ]; then
        fail "$file: found a configuration that is not the stream's; accepted: none, or the stream's. Restore it with --undo, or move it away"
    fi

    if [ "$function" = None ]; then
        echo "No function is attached to $stream."
    elif [ "$again" = yes ]; then
        echo "The processor of $stack is attached to $stream, with other parameters."
    else
        echo "This replaces $function, which is attached to $stream."
    fi
    [ "$errors" != None ] || echo "$stream has no ErrorOutputPrefix: failed records go to the folder processing-failed/ next to the delivered ones."
    [ "$delimiter" = None ] || echo "$stream appends a delimiter to each record, whose lines end in a newline already: objects will have empty lines."
    confirm "$after"
    [ -e "$file" ] || printf '%s\n' "$before" > "$file"
    aws firehose update-destination --cli-input-json "$request" || exit 1
    echo "Attached, which is usually effective within a few minutes. To undo it: attach.sh --undo $stream"
}

undo() {
    [ -e "$file" ] || fail "$file: found no such file; accepted: the file that attach.sh wrote, in this folder"
    found=$(describe "[VersionId, Destinations[0].DestinationId, $attached]") || exit 1
    IFS=$tab read -r version destination function <<END
$found
END
    echo "This restores the configuration in $file. The function that is attached to $stream: $function"
    confirm "$(cat "$file")"
    aws firehose update-destination --cli-input-json "$request" || exit 1
    rm "$file"
    echo "Restored, which is usually effective within a few minutes."
}

action=attach
case "${1:-}" in
--help | -h)
    usage
    exit
    ;;
--undo)
    action=undo
    shift
    ;;
esac
case "$#${1:-}" in
1[!-]* | 2[!-]*) ;;
*)
    usage >&2
    exit 2
    ;;
esac
stream=$1 stack=${2:-ClickStream-Processor}
# Firehose's rule, which also makes it a part of a file's name (API Reference, "DescribeDeliveryStream").
case "$stream" in
*[!A-Za-z0-9_.-]*) fail "STREAM: found \"$stream\"; accepted: the name of a Firehose stream, of letters, digits, and _ . -" 2 ;;
esac
file=$stream.before.json
command -v aws >/dev/null || fail 'aws: not found; accepted: the AWS CLI, version 1 or 2 (https://aws.amazon.com/cli/)'
$action
