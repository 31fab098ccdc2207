"""The channels that there are: their options as the settings have them, and their classes, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from .app_push import AppPush
from .app_push import Options as AppPushOptions
from .email import Email
from .email import Options as EmailOptions
from .inbox import Inbox
from .inbox import Options as InboxOptions
from .sms import Options as SmsOptions
from .sms import Sms
from .webhook import Options as WebhookOptions
from .webhook import Webhook
from .wechat import Options as WechatOptions
from .wechat import Wechat
from .wechat_mini import Options as WechatMiniOptions
from .wechat_mini import WechatMini
from .wecom import Options as WecomOptions
from .wecom import Wecom
from .weibo import Options as WeiboOptions
from .weibo import Weibo

if TYPE_CHECKING:
    from . import Channel


class Channels(Struct, frozen=True):
    """The options of each channel."""

    inbox: InboxOptions = field(default_factory=InboxOptions)
    webhook: WebhookOptions = field(default_factory=WebhookOptions)
    app_push: AppPushOptions = field(default_factory=AppPushOptions)
    wechat_mini: WechatMiniOptions = field(default_factory=WechatMiniOptions)
    wechat: WechatOptions = field(default_factory=WechatOptions)
    wecom: WecomOptions = field(default_factory=WecomOptions)
    email: EmailOptions = field(default_factory=EmailOptions)
    weibo: WeiboOptions = field(default_factory=WeiboOptions)
    sms: SmsOptions = field(default_factory=SmsOptions)


KNOWN: dict[str, type[Channel]] = {
    channel.name: channel for channel in (Inbox, Webhook, AppPush, WechatMini, Wechat, Wecom, Email, Weibo, Sms)
}
