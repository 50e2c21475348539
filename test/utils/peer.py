"""Another implementation of fernet-chat/1, written from the Noise and Fernet specifications: the tests' second opinion.

Reads one JSON request a line on standard input and answers each with one line of JSON. It keeps nothing between
requests, so ephemeral keys come with them. Bytes are padded base64url throughout.
"""

import hashlib
import hmac
import json
import sys
from base64 import urlsafe_b64decode as unb64
from base64 import urlsafe_b64encode

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def b64(data):
    return urlsafe_b64encode(data).decode()


def derive(key, use):
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"fernet-chat/1 " + use).derive(key)


class Handshake:
    """Noise_NNpsk0_25519_ChaChaPoly_SHA256: the symmetric state of section 5.2 and the two messages of the pattern."""

    def __init__(self, psk, ephemeral):
        self.own = X25519PrivateKey.from_private_bytes(ephemeral)
        self.chain = self.hash = hashlib.sha256(b"Noise_NNpsk0_25519_ChaChaPoly_SHA256").digest()
        self.mix_hash(b"fernet-chat/1")
        self.chain, mixed, self.key = self.hkdf(psk, 3)
        self.mix_hash(mixed)

    def hkdf(self, material, outputs):
        # Section 4.3, by hand: HMAC with the chaining key, then one HMAC for each output.
        temporary = hmac.digest(self.chain, material, "sha256")
        found = [b""]
        for number in range(1, outputs + 1):
            found.append(hmac.digest(temporary, found[-1] + bytes([number]), "sha256"))
        return found[1:]

    def mix_hash(self, data):
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, material):
        self.chain, self.key = self.hkdf(material, 2)

    def write_e(self):
        point = self.own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.read_e(point)
        return point

    def read_e(self, point):
        self.mix_hash(point)
        self.mix_key(point)

    def ee(self, point):
        self.mix_key(self.own.exchange(X25519PublicKey.from_public_bytes(point)))

    def encrypt(self, payload):
        sealed = ChaCha20Poly1305(self.key).encrypt(bytes(12), payload, self.hash)
        self.mix_hash(sealed)
        return sealed

    def decrypt(self, sealed):
        payload = ChaCha20Poly1305(self.key).decrypt(bytes(12), sealed, self.hash)
        self.mix_hash(sealed)
        return payload

    def split(self):
        up, down = self.hkdf(b"", 2)
        return {"up": b64(up), "down": b64(down)}


def initiate(request):
    handshake = Handshake(unb64(request["key"]), unb64(request["ephemeral"]))
    point = handshake.write_e()
    return handshake, b64(point + handshake.encrypt(b'{"versions":[1]}'))


def complete(request):
    handshake, _ = initiate(request)
    message = unb64(request["line"])
    handshake.read_e(message[:32])
    handshake.ee(message[:32])
    return {"payload": handshake.decrypt(message[32:]).decode(), **handshake.split()}


def respond(request):
    handshake = Handshake(unb64(request["key"]), unb64(request["ephemeral"]))
    message = unb64(request["line"])
    handshake.read_e(message[:32])
    payload = handshake.decrypt(message[32:]).decode()
    point = handshake.write_e()
    handshake.ee(message[:32])
    return {"payload": payload, "line": b64(point + handshake.encrypt(b'{"version":1}')), **handshake.split()}


def derived(request):
    room = unb64(request["key"])
    server = derive(room, b"server")
    return {
        "server": b64(server),
        "message": b64(derive(room, b"message")),
        "state": b64(derive(room, b"state")),
        "log": b64(derive(server, b"log")),
    }


def ring(request):
    return MultiFernet([Fernet(key) for key in request["keys"]])


commands = {
    "generate": lambda request: {"key": Fernet.generate_key().decode()},
    "derive": derived,
    "seal": lambda request: {"token": ring(request).encrypt(request["text"].encode()).decode()},
    "open": lambda request: {"text": ring(request).decrypt(request["token"]).decode()},
    "initiate": lambda request: {"line": initiate(request)[1]},
    "complete": complete,
    "respond": respond,
}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = commands[asked["command"]](asked)
    except (InvalidTag, InvalidToken) as refusal:
        answer = {"refused": type(refusal).__name__}
    print(json.dumps(answer), flush=True)
