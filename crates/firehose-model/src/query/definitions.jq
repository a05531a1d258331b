# Guards, which `syntax` puts into a query.

# Of numbers jq has doubles only. jaq converts a whole number to microseconds without regard to its size.
def time: if type == "number" then . + 0.0 elif type == "array" and (.[1] < 0 or .[1] > 11) then error else . end;
# The `length` of a number is its absolute value. jaq panics for the lowest one of 64 bits.
def positive: if isnumber and . < 0 then -. else . end;
# A regular expression takes up to its size times the text's. The parts of a text take much more memory than the text.
def short: if utf8bytelength > 4096 then error else . end;
# `join` takes up to the number of elements times their size, and a copy of an array up to eight times the memory of its JSON.
def few: if . >= [] and length > 256 then error else . end;
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
