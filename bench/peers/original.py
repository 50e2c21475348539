"""
The chat as it first was: a socket server with a thread for each client, and Fernet around each message. Repaired where
it would not stand a benchmark: a token is a line, so that none is merged or split; the list of clients has a lock; one
that is gone does not take others with it; nothing is held back (TCP_NODELAY).

    python3 original.py KEY      listens on a free port of loopback, and prints it
"""
import socket
import sys
import threading

from cryptography.fernet import Fernet, InvalidToken

fernet = Fernet(sys.argv[1])
clients = {}
lock = threading.Lock()


def broadcast(message):
    token = fernet.encrypt(message) + b"\n"
    with lock:
        for client in list(clients):
            try:
                client.sendall(token)
            except OSError:
                clients.pop(client)


def handle(client):
    nick = None
    try:
        with client, client.makefile("rb") as tokens:
            for token in tokens:
                message = fernet.decrypt(token.rstrip())
                if nick is None:
                    nick = message
                    with lock:
                        clients[client] = nick
                    broadcast(nick + b" joined")
                else:
                    broadcast(nick + b": " + message)
    except (InvalidToken, OSError):
        # It is no client of ours, or it is gone.
        pass
    with lock:
        clients.pop(client, None)
    if nick is not None:
        broadcast(nick + b" left")


def main():
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=handle, args=(client,), daemon=True).start()


main()
