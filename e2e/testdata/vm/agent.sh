# Carries out what comes over the second serial line: "ID COMMAND" is answered by "ID CODE OUT ERR", all but the numbers in base64.
tty=/dev/ttyS1
stty -F $tty raw -echo
exec <$tty >$tty
while read -r id command; do
    printf %s "$command" | base64 -d >/run/command
    bash /run/command </dev/null >/run/out 2>/run/err
    code=$?
    echo "$id $code $(base64 -w0 /run/out) $(base64 -w0 /run/err)"
done
