// Verifies requests with the published library; a JSON list in, a JSON list of verdicts out.
const { Webhook } = require("standardwebhooks");

const requests = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const verdicts = requests.map(({ secret, body, headers }) => {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch (error) {
    return error.message;
  }
});
console.log(JSON.stringify(verdicts));
