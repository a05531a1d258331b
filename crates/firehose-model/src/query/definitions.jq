# Guards, which `syntax` puts before filters.

# Of numbers jq has doubles only. jaq converts a whole number to microseconds without regard to its size.
def time: if type == "number" then . + 0.0 elif type == "array" and (.[1] < 0 or .[1] > 11) then error else . end;
# A regular expression takes up to its size times the square of the text's, and `join` the square of the number of elements.
def short: if utf8bytelength > 2048 then error else . end;
def few: if length > 256 then error else . end;
# A value for each part takes much more memory than the text.
def line: if utf8bytelength > 65536 then error else . end;
# `tonumber` parses any JSON, and its recursion has no limit.
def digits: if type == "string" and utf8bytelength > 32 then error else . end;

# Filters that are other ones in jq 1.6 than in jaq.

def join($text): reduce .[] as $item (
  null;
  (if . == null then "" else . + $text end)
  + ($item | if . == null then "" elif type == "boolean" or type == "number" then tojson else . end)
) // "";
def fromdateiso8601: strptime("%Y-%m-%dT%H:%M:%SZ") | mktime;
def fromdate: fromdateiso8601;
def todateiso8601: strftime("%Y-%m-%dT%H:%M:%SZ");
def todate: todateiso8601;
