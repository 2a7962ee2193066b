// An independent speaker of the terminals' protocol: Adyen's own library, asked over stdin, by a list of:
// {"do": "seal", key, header, message} → secured message; {"do": "open", key, secured} → message;
// {"do": "pay", key, port, root, poiId, saleId, serviceId, amount, currency, paymentId, check} → answer.

const path = require("node:path");
const fs = require("node:fs");
const https = require("node:https");

const library = path.join(process.argv[2], "node_modules", "@adyen", "api-library", "lib", "src");
const NexoCrypto = require(path.join(library, "security", "nexoCrypto.js")).default;

const keyOf = (key) => ({
  AdyenCryptoVersion: 1, KeyIdentifier: key.id, KeyVersion: key.version, Passphrase: key.passphrase,
});

const HEADER = { ProtocolVersion: "3.0", MessageClass: "Service", MessageType: "Request" };

async function pay(asked) {
  const { Client, Config, TerminalLocalAPI, EnvironmentEnum } = require(path.join(library, "index.js"));
  const config = new Config();
  config.terminalApiLocalEndpoint = "https://127.0.0.1";
  config.apiKey = "none";
  config.environment = EnvironmentEnum.TEST;
  const client = new Client(config);
  client.httpClient = {
    async request(endpoint, json, _config, _isApiKeyRequired, options) {
      return new Promise((resolve, reject) => {
        const request = https.request({
          host: "127.0.0.1", port: asked.port, path: new URL(endpoint).pathname, method: "POST",
          ca: fs.readFileSync(asked.root), headers: { "Content-Type": "application/json" },
        }, (response) => {
          const parts = [];
          response.on("data", (part) => parts.push(part));
          response.on("end", () => resolve(Buffer.concat(parts).toString()));
        });
        request.on("error", reject);
        request.end(json);
      });
    },
  };
  const message = asked.check
    ? {
      MessageHeader: {
        ...HEADER, MessageCategory: "TransactionStatus", POIID: asked.poiId, SaleID: asked.saleId,
        ServiceID: asked.serviceId,
      },
      TransactionStatusRequest: {
        MessageReference: {
          MessageCategory: "Payment", POIID: asked.poiId, SaleID: asked.saleId, ServiceID: asked.check,
        },
      },
    }
    : {
      MessageHeader: {
        ...HEADER, MessageCategory: "Payment", POIID: asked.poiId, SaleID: asked.saleId,
        ServiceID: asked.serviceId,
      },
      PaymentRequest: {
        SaleData: {
          SaleTransactionID: { TransactionID: asked.paymentId, TimeStamp: "2026-01-01T00:00:00.000Z" },
        },
        PaymentTransaction: {
          AmountsReq: { Currency: asked.currency, RequestedAmount: asked.amount },
        },
      },
    };
  return new TerminalLocalAPI(client).request({ SaleToPOIRequest: message }, keyOf(asked.key));
}

async function answer(asked) {
  switch (asked.do) {
    case "seal":
      return NexoCrypto.encrypt(asked.header, asked.message, keyOf(asked.key));
    case "open":
      return { message: new NexoCrypto().decrypt(asked.secured, keyOf(asked.key)) };
    case "pay":
      return pay(asked);
    default:
      throw new Error(`no such thing: ${asked.do}`);
  }
}

(async () => {
  const answers = [];
  for (const asked of JSON.parse(fs.readFileSync(0, "utf-8"))) {
    try {
      answers.push({ answer: await answer(asked) });
    } catch (error) {
      answers.push({ error: `${error.name}: ${error.message}` });
    }
  }
  console.log(JSON.stringify(answers));
})();
