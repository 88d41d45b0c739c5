// ECMAScript 3: some engines know no more. Before this stand the values, see pac_script.py:
// PROXIES         name and value of each proxy, the first one to be tried first
// SHARED_BY_HOST  whether each host has an order of its own, by rendezvous: the greatest weight of name and host first
// LAST            what is tried when no proxy can be reached
// NAMES           hosts that are asked without a proxy
// NETWORKS        likewise, by the first bits of their address

function FindProxyForURL(url, host) {
    host = host.toLowerCase().replace(/^\[|\]$|\.$/g, "");
    if (isNamed(host) || isInNetworks(bitsOf(host))) {
        return "DIRECT";
    }
    var order = SHARED_BY_HOST ? orderFor(host) : PROXIES, found = [], n;
    for (n = 0; n < order.length; n++) {
        found.push(order[n][1]);
    }
    return found.concat(LAST).join("; ");
}

function isNamed(host) {
    for (var n = 0; n < NAMES.length; n++) {
        var name = NAMES[n];
        if (name === host || (name === "<local>" && host.search(/[.:]/) < 0)) {
            return true;
        }
        if (name.charAt(0) === "." && (endsWith(host, name) || host === name.substring(1))) {
            return true;
        }
        if (name.charAt(0) === "*" && endsWith(host, name.substring(1))) {
            return true;
        }
    }
    return false;
}

function endsWith(host, tail) {
    return host.length > tail.length && host.substring(host.length - tail.length) === tail;
}

function isInNetworks(bits) {
    for (var n = 0; n < NETWORKS.length; n++) {
        if (bits.substring(0, NETWORKS[n].length) === NETWORKS[n]) {
            return true;
        }
    }
    return false;
}

// "4:" or "6:" and the bits of a host that is an address; "" for a name.
function bitsOf(host) {
    var bytes = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host);
    if (bytes) {
        return "4:" + joined(bytes.slice(1), 10, 8);
    }
    var halves = host.split("%")[0].split("::");
    var head = wordsOf(halves[0]), tail = halves.length > 1 ? wordsOf(halves[1]) : [];
    if (host.indexOf(":") < 0 || halves.length > 2) {
        return "";
    }
    while (halves.length > 1 && head.length + tail.length < 8) {
        head.push("0");
    }
    var words = head.concat(tail);
    return /^([0-9a-f]{1,4}:){8}$/.test(words.join(":") + ":") ? "6:" + joined(words, 16, 16) : "";
}

function wordsOf(text) {
    return text === "" ? [] : text.split(":");
}

function joined(numbers, base, width) {
    var bits = "";
    for (var n = 0; n < numbers.length; n++) {
        // The one in front keeps the zeros.
        bits += (parseInt(numbers[n], base) + Math.pow(2, width)).toString(2).substring(1);
    }
    return bits;
}

function orderFor(host) {
    var weighed = [], n;
    for (n = 0; n < PROXIES.length; n++) {
        weighed.push([PROXIES[n][0], PROXIES[n][1], weightOf(PROXIES[n][0] + "/" + host)]);
    }
    return weighed.sort(function (one, other) {
        return other[2] - one[2];
    });
}

// Bob Jenkins's one-at-a-time hash, 32 bits: it needs no multiplication, which would lose bits here.
function weightOf(text) {
    var hash = 0;
    for (var n = 0; n < text.length; n++) {
        hash = (hash + text.charCodeAt(n)) | 0;
        hash = (hash + (hash << 10)) | 0;
        hash ^= hash >>> 6;
    }
    hash = (hash + (hash << 3)) | 0;
    hash ^= hash >>> 11;
    return (hash + (hash << 15)) >>> 0;
}
