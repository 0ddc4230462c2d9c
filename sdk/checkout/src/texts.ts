/** Every text that the element shows. */
export interface Texts {
  pay: string
  payNow: string
  cancel: string
  retry: string
  again: string
  stepUp: string
  open: string
  amount: string
  payee: string
  code: string
  starting: string
  ready: string
  wallet: string
  link: string
  elsewhere: string
  checking: string
  allowed: string
  stepUpAsked: string
  stepUpFace: string
  cancelled: string
  declined: string
  notWorn: string
  locked: string
  confirm: string
  distance: string
  lost: string
  revoked: string
  status: string
  noPhone: string
  method: string
  otherPhone: string
  approval: string
  counter: string
  site: string
  transaction: string
  expired: string
  used: string
  attempts: string
  limit: string
  dayLimit: string
  age: string
  issuer: string
  renew: string
  token: string
  refused: string
  shop: string
  changed: string
  noWallet: string
  walletFailed: string
  unreachable: string
  busy: string
  unknown: string
  unexpected: string
}

const en: Texts = {
  pay: 'Pay with band',
  payNow: 'Confirm with band',
  cancel: 'Cancel',
  retry: 'Try again',
  again: 'Check again',
  stepUp: 'Confirm on phone',
  open: 'Open wallet',
  amount: 'Amount',
  payee: 'To',
  code: 'Code: ',
  starting: 'Asking the shop for the amount …',
  ready: 'Check amount and shop, then confirm.',
  wallet: 'Confirm on your band and phone …',
  link: 'Open your wallet to confirm. This page goes on by itself.',
  elsewhere: 'Your wallet has answered. Go on in the page that it opened.',
  checking: 'Checking …',
  allowed: 'Confirmed. The shop is completing your order.',
  stepUpAsked: 'For this amount your phone must confirm once more.',
  stepUpFace: 'For this amount your phone must also recognise your face.',
  cancelled: 'You cancelled. Nothing was confirmed.',
  declined: 'Declined. Nothing was confirmed.',
  notWorn: 'Your band is not on your wrist. Put it on, unlock it, and try again.',
  locked: 'Your band is locked. Unlock it on your wrist, and try again.',
  confirm: 'The band itself must be pressed to confirm. Try again.',
  distance: 'Your band is too far away. Come closer, and try again.',
  lost: 'This band was reported lost, so it can’t be used. If you have it back, tell its provider.',
  revoked: 'This band was deactivated and can’t be used any more.',
  status: 'It can’t be checked now whether your band is still valid. Try again in a minute.',
  noPhone: 'Your phone did not confirm. Have it with you, switched on, and try again.',
  method: 'Your phone must make sure of you in another way, such as by face. Try again.',
  otherPhone: 'Another phone than the one paired with your band confirmed.',
  approval: 'What your phone confirmed does not fit this payment. Try again.',
  counter: 'Your band gave an old answer, or somebody has copied it. If this comes again, ask its provider.',
  site: 'What your band signed was meant for another site, so it does not count here. Make sure that you are in the right shop.',
  transaction: 'What your band signed is not this payment. Try again.',
  expired: 'Time ran out. Nothing was confirmed.',
  used: 'This payment was answered before. Ask the shop before you pay again.',
  attempts: 'Too many answers failed. Start again.',
  limit: 'This is more than may be paid in this way.',
  dayLimit: 'With this you would pay more in a day than the shop allows.',
  age: 'Your band did not show that you are as old as this purchase asks for.',
  issuer: 'This shop does not know the provider of your band.',
  renew: 'The credential in your band has expired. Renew it in your wallet.',
  token: 'Your wallet’s answer can’t be accepted. Try again, or pay in another way.',
  refused: 'The shop does not accept this payment.',
  shop: 'The shop can’t take this payment now. Try again, or pay in another way.',
  changed: 'The payment was changed on its way, so it was stopped.',
  noWallet: 'This browser can’t reach your wallet. Use another browser, or pay in another way.',
  walletFailed: 'Your wallet gave no answer. Try again.',
  unreachable: 'The service that checks your band can’t be reached. Check your connection, and try again.',
  busy: 'The service that checks your band is busy. Try again in a moment.',
  unknown: 'What came of it could not be heard. Check again before you pay in another way.',
  unexpected: 'Something unexpected came back, so nothing went on. Try again.',
}

const zh: Texts = {
  pay: '用手环支付',
  payNow: '用手环确认',
  cancel: '取消',
  retry: '重试',
  again: '再次查询',
  stepUp: '在手机上确认',
  open: '打开钱包',
  amount: '金额',
  payee: '收款方',
  code: '代码：',
  starting: '正在向商家获取金额…',
  ready: '请核对金额和商家，然后确认。',
  wallet: '请在手环和手机上确认…',
  link: '请打开钱包确认，本页会自动继续。',
  elsewhere: '钱包已答复，请在它打开的页面中继续。',
  checking: '正在核验…',
  allowed: '已确认，商家正在完成您的订单。',
  stepUpAsked: '该金额需要在手机上再确认一次。',
  stepUpFace: '该金额还需要手机进行人脸识别。',
  cancelled: '您已取消，未作任何确认。',
  declined: '已拒绝，未作任何确认。',
  notWorn: '手环未佩戴。请戴上并解锁，然后重试。',
  locked: '手环已锁定。请在手腕上解锁，然后重试。',
  confirm: '需要在手环上按一下确认，请重试。',
  distance: '手环距离太远，请靠近后重试。',
  lost: '该手环已挂失，无法使用。如已找回，请联系手环服务商。',
  revoked: '该手环已停用，无法再使用。',
  status: '暂时无法查询手环是否有效，请一分钟后重试。',
  noPhone: '手机未确认。请带上手机并开机，然后重试。',
  method: '手机需要换一种方式确认本人，例如人脸识别，请重试。',
  otherPhone: '确认的手机不是与手环配对的那一部。',
  approval: '手机确认的内容与本次支付不符，请重试。',
  counter: '手环给出的是旧的答复，或有人复制了它。如再次出现，请联系手环服务商。',
  site: '手环签署的内容是给另一个网站的，在这里无效。请确认您所在的商店。',
  transaction: '手环签署的不是本次支付，请重试。',
  expired: '已超时，未作任何确认。',
  used: '这笔支付已有答复。再次支付前请先询问商家。',
  attempts: '失败次数过多，请重新开始。',
  limit: '金额超过了这种方式的限额。',
  dayLimit: '加上这一笔将超过商家的单日限额。',
  age: '手环未能证明您达到本次购买要求的年龄。',
  issuer: '商家不认识您手环的服务商。',
  renew: '手环中的凭证已过期，请在钱包中更新。',
  token: '无法接受钱包的答复。请重试，或换一种方式支付。',
  refused: '商家不接受这笔支付。',
  shop: '商家暂时无法接受这笔支付。请重试，或换一种方式支付。',
  changed: '支付内容在途中被更改，已中止。',
  noWallet: '此浏览器无法连接您的钱包。请换用其他浏览器或支付方式。',
  walletFailed: '钱包没有答复，请重试。',
  unreachable: '无法连接核验手环的服务。请检查网络后重试。',
  busy: '核验手环的服务正忙，请稍后重试。',
  unknown: '未能得知结果。换其他方式支付前请再次查询。',
  unexpected: '收到了意外的内容，已停止。请重试。',
}

/** The texts for a language (BCP 47). */
export const textsFor = (language: string): Texts => (/^zh\b/i.test(language) ? zh : en)

/** Which codes, and families of codes without a sentence of their own, a sentence is for. */
const CODES: { readonly [text in keyof Texts]?: string } = {
  notWorn: 'evidence.not-worn',
  locked: 'evidence.locked evidence.unlock-stale',
  confirm: 'evidence.unconfirmed',
  distance: 'evidence.distance',
  counter: 'evidence.counter',
  lost: 'status.suspended',
  revoked: 'status.revoked',
  status: 'status',
  noPhone: 'approval.missing',
  method: 'approval.method step-up.repeated',
  otherPhone: 'approval.phone approval.self',
  approval: 'approval',
  site: 'holder.audience approval.audience request.forbidden',
  transaction: 'transaction',
  expired: 'challenge.expired step-up.expired holder.stale approval.stale decision',
  used: 'challenge.used transaction.used step-up.used',
  attempts: 'challenge.attempts',
  declined: 'wallet.error',
  limit: 'limit ledger.exceeded',
  dayLimit: 'limit.daily',
  age: 'claims.age',
  issuer: 'issuer',
  renew: 'credential.expired',
  token: 'token credential disclosure holder claims evidence response',
  shop: 'challenge merchant plugin verifier trust ledger payment currency checkout.shop checkout.host',
  unreachable: 'host request.timeout checkout.unreachable',
  busy: 'host.overloaded request.rate',
  cancelled: 'checkout.cancelled',
  noWallet: 'checkout.wallet',
  walletFailed: 'checkout.wallet-failed',
  changed: 'checkout.changed',
  unknown: 'checkout.unknown',
  unexpected: 'checkout request',
}

const SENTENCES = new Map(Object.entries(CODES).flatMap(([text, codes]) => codes.split(' ').map((code) => [code, text as keyof Texts])))

/** Which sentence says a code in plain words. What policies call their refusals is theirs, so any other is one. */
export const sentenceOf = (code: string): keyof Texts => SENTENCES.get(code) ?? SENTENCES.get(code.replace(/\..*/, '')) ?? 'refused'
