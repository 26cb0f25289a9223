#!/bin/sh
# Hook "images": which entries a machine is offered, by the subnet that it asks from.
#
# The table is for you to change: subnet (the name of dhcpproxyd's instance), default, entries.
# A subnet that is not in it gets all images of the content root ("none" has no opinion).
#
# docs/scripting.md describes requests and answers.  This one needs nothing but sh; a script that
# looks at more than one key is better off with jq or Python.
table='
lab    debian-12  debian-12 memtest
office win11      win11 win10
'

# The value of a key that occurs once, whose value is a plain word.
value() {
	case $line in
	*"\"$1\":\""*)
		rest=${line#*"\"$1\":\""}
		printf '%s' "${rest%%\"*}"
		;;
	esac
}

answer() {
	while read -r name default entries; do
		if [ -z "$name" ] || [ "$name" != "$1" ]; then
			continue
		fi
		list=
		for entry in $entries; do
			list="$list${list:+,}\"$entry\""
		done
		printf '{"entries":[%s],"default":"%s","reason":"subnet %s"}\n' "$list" "$default" "$name"
		return
	done <<END
$table
END
	printf '{"action":"none","reason":"no images for this subnet"}\n'
}

while IFS= read -r line; do
	case $(value type) in
	self-test) printf '{"ok":true}\n' ;;
	*) answer "$(value subnet)" ;;
	esac
done
