# workerd's configuration; `build.mjs` names the modules. Everything else comes from the environment.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    ( name = "edge",
      worker = (
        modules = [MODULES],
        compatibilityDate = "2025-10-01",
        bindings = [
          (name = "SEAL_KEY", fromEnvironment = "SEAL_KEY"),
          (name = "ORIGIN", fromEnvironment = "ORIGIN"),
          (name = "TRUST_URL", fromEnvironment = "TRUST_URL"),
          (name = "STATUS_URLS", fromEnvironment = "STATUS_URLS"),
          (name = "REFRESH", fromEnvironment = "REFRESH"),
          (name = "TRANSACTIONS", durableObjectNamespace = "Transaction"),
        ],
        durableObjectNamespaces = [(className = "Transaction", uniqueKey = "bandpass-transaction")],
        durableObjectStorage = (localDisk = "store"),
        globalOutbound = "network",
        cacheApiOutbound = "cache",
      ),
    ),
    (name = "store", disk = (path = "store", writable = true)),
    (name = "network", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
    # At Cloudflare the cache is there; workerd asks a service for it.
    (name = "cache", worker = (modules = [(name = "cache.js", esModule = embed "cache.js")], compatibilityDate = "2025-10-01")),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "edge")],
);
