# Hooks "allow-boot" and "images" in one script for PowerShell 7.
#
# allow-boot: machines of the group "classroom" install only outside lessons; a machine that nobody
# has approved yet waits for it.  images: laptops get one list, everything else another.
#
# docs/scripting.md describes requests and answers.  What goes to standard output must be answers
# and nothing else: Write-Host writes there, too; use [Console]::Error.WriteLine() for the log.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

function Get-Value($Object, [string] $Name) {
	# a key that is not known is missing
	if ($null -ne $Object -and $Object.PSObject.Properties[$Name]) { return $Object.$Name }
	return $null
}

function Get-Permission($Request) {
	$machine = Get-Value $Request 'machine'
	$hour = ([datetime] $Request.time).ToLocalTime().Hour
	if ((Get-Value $machine 'group') -eq 'classroom' -and $hour -ge 8 -and $hour -lt 16) {
		return @{ action = 'deny'; text = 'No installations during lessons'; reason = "it is $hour o'clock" }
	}
	if ((Get-Value $machine 'state') -ne 'approved') {
		return @{ action = 'hold'; text = 'Waiting for approval'; reason = 'not approved yet' }
	}
	return @{ action = 'allow' }
}

function Get-Images($Request) {
	$product = Get-Value $Request.request 'product'
	if ($product -match 'Latitude|EliteBook|ThinkPad') {
		return @{ entries = @('win11-laptop', 'win11'); default = 'win11-laptop'; reason = 'a laptop' }
	}
	return @{ entries = @('win11'); default = 'win11'; reason = 'no laptop' }
}

while ($null -ne ($line = [Console]::In.ReadLine())) {
	$request = $line | ConvertFrom-Json -DateKind String
	$answer = switch ($request.type) {
		'self-test' { @{ ok = $true } }
		'allow-boot' { Get-Permission $request }
		'images' { Get-Images $request }
		default { @{ action = 'none' } }
	}
	if ($request.type -ne 'self-test') { $answer.id = $request.id }
	[Console]::Out.WriteLine(($answer | ConvertTo-Json -Compress -Depth 8))
	[Console]::Out.Flush()
}
